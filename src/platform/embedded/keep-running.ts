import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { Worker } from '../process/worker.ts';

/** What every embedded server offers, whatever it is. */
export interface RunningServer {
  readonly url: string;
  /** Resolves when the server has ended, asked or not, with the reason in words. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

export interface KeptServer {
  readonly worker: Worker;
  /** Where it listens; resolves at its first successful start and stays true over restarts. Rejects never. */
  readonly url: Promise<string>;
  /** The first start's failure, for a caller that cannot go on without this server. Resolves never when it succeeded. */
  readonly firstFailure: Promise<Error>;
}

/**
 * Makes an embedded server a worker: a server that dies is started again by the supervisor, at the same address.
 * `start` gets the address of the first start, so that clients find the new server where the old one was.
 */
export function keepRunning(name: string, start: (formerUrl: string | null) => Promise<RunningServer>): KeptServer {
  const url = Promise.withResolvers<string>();
  const firstFailure = Promise.withResolvers<Error>();
  let formerUrl: string | null = null;
  let running = false;

  async function run(signal: AbortSignal): Promise<void> {
    const server = await start(formerUrl).catch((error: unknown) => {
      const failure = error instanceof Error ? error : new EmbeddedServiceError(String(error));
      firstFailure.resolve(failure);
      throw failure;
    });
    formerUrl = server.url;
    running = true;
    url.resolve(server.url);
    const reason = await Promise.race([server.exited, aborted(signal)]);
    running = false;
    if (reason !== null) throw new EmbeddedServiceError(`${name} ended unasked: ${reason}`);
    await server.stop();
  }

  return {
    url: url.promise,
    firstFailure: firstFailure.promise,
    worker: { name, run, health: () => (running ? { status: 'ok' } : { status: 'starting', reason: `${name} is starting` }) },
  };
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}
