import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { Worker, WorkerHealth } from '../process/worker.ts';

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
  // Kept while it is tried again: for an operator a start that failed and one that is under way are one and the same.
  let failed: string | null = null;

  async function run(signal: AbortSignal): Promise<void> {
    const server = await start(formerUrl).catch((error: unknown) => {
      const failure = error instanceof Error ? error : new EmbeddedServiceError(String(error));
      firstFailure.resolve(failure);
      failed = `${name} does not start, and is tried again: ${failure.message}`;
      throw failure;
    });
    formerUrl = server.url;
    running = true;
    failed = null;
    url.resolve(server.url);
    const reason = await Promise.race([server.exited, aborted(signal)]);
    running = false;
    if (reason !== null) throw new EmbeddedServiceError(`${name} ended unasked: ${reason}`);
    await server.stop();
  }

  function health(): WorkerHealth {
    if (running) return { status: 'ok' };
    return failed === null ? { status: 'starting', reason: `${name} is starting` } : { status: 'degraded', reason: failed };
  }

  return {
    url: url.promise,
    firstFailure: firstFailure.promise,
    worker: { name, run, health },
  };
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}
