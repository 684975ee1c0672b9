import { complain, LAST_LINES_LIMIT_MS } from './complain.ts';
import { describeConfig, readConfig, type Config, type Environment } from './config.ts';
import { isTerminal, standardOutput, type LogOutput } from './platform/observe/log-output.ts';
import { createLogger, type Logger } from './platform/observe/logger.ts';
import { asJson, readable } from './platform/observe/readable-line.ts';
import { pause } from './platform/process/backoff.ts';
import type { StopRequest } from './platform/process/stop-request.ts';
import { SERVERS_STOP_LIMIT_MS } from './services.ts';
import { start, type Started } from './start.ts';
import { announce, rootLine } from './welcome.ts';

const ENDED = 0;

/** A umask: what is taken away. */
const OWNER_ONLY = 0o077;

/** From reading the settings to the end of the last server. Resolves with the exit code. */
export async function run({ signal }: StopRequest, environment: Environment): Promise<number> {
  // Of all that this process and its servers write, nothing is for other users of the machine.
  process.umask(OWNER_ONLY);
  try {
    const config = readConfig(environment);
    const show = config.logFormat === 'pretty' || (config.logFormat === 'auto' && isTerminal()) ? readable : asJson;
    const output = standardOutput(1, show);
    const log = createLogger(config.logLevel, output, show);
    const code = await runUntilStopped(signal, environment, config, log, output).catch(complain);
    await output.drain(LAST_LINES_LIMIT_MS);
    return code;
  } catch (error) {
    return complain(error);
  }
}

async function runUntilStopped(signal: AbortSignal, environment: Environment, config: Config, log: Logger, output: LogOutput): Promise<number> {
  log.info({ event: 'config.read', settings: describeConfig(environment) });
  const print = (line: string): void => output.write(`${line}\n`);
  if (process.getuid?.() === 0) print(rootLine());
  sayWhenStopped(signal, config, log);
  const started = await startUnlessStopped(config, log, output, signal);
  if (started === null) return ENDED;
  void announce(started, config, print, signal);
  await aborted(signal);
  await started.stop();
  return ENDED;
}

/** @returns null when the process was asked to end meanwhile: what had been started is stopped then, whatever it says. */
async function startUnlessStopped(config: Config, log: Logger, output: LogOutput, signal: AbortSignal): Promise<Started | null> {
  try {
    return await start(config, log, signal, () => output.droppedLines());
  } catch (error) {
    if (!signal.aborted) throw error;
    log.debug({ event: 'start.given-up', err: error });
    return null;
  }
}

/** Everything that stops has its own limit. A start that cannot be given up has none, so the whole gets one as well. */
function sayWhenStopped(signal: AbortSignal, { shutdownTimeoutMs }: Config, log: Logger): void {
  const limitMs = STOP_SHARES * shutdownTimeoutMs + SERVERS_STOP_LIMIT_MS;
  void aborted(signal).then(async () => {
    log.info({ event: 'shutdown.begun', signal: String(signal.reason) });
    await pause(limitMs);
    log.warn({ event: 'shutdown.timed-out', timeoutMs: limitMs });
    process.exit(ENDED);
  });
}

/** Of PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: the start that is under way, the workers, the database client. */
export const STOP_SHARES = 3;

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
