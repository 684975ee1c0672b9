import { describeConfig, readConfig } from './config.ts';
import { PaynotifyError } from './contracts/errors.ts';
import { createLogger } from './platform/observe/logger.ts';
import { start } from './start.ts';
import { readyLine, reportProgress, welcome } from './welcome.ts';

/** A second signal means: now. What was in flight is repeated by the next start. */
const EXIT_BY_FORCE = 130;

/** npm passes on the Ctrl-C that a terminal has sent to us as well: what comes so soon after the first is no second one. */
const ECHO_MAX_MS = 1_000;

try {
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  log.info({ event: 'config.read', settings: describeConfig(process.env) });
  const started = await start(config, log);
  const stopping = new AbortController();
  let stoppingSinceMs = 0;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted && performance.now() - stoppingSinceMs > ECHO_MAX_MS) process.exit(EXIT_BY_FORCE);
    if (stopping.signal.aborted) return;
    stoppingSinceMs = performance.now();
    stopping.abort();
    log.info({ event: 'shutdown.begun', signal });
    void started.stop().finally(() => process.exit());
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  console.log(welcome(started, config));
  void reportProgress(started, console.log, stopping.signal);
  await started.app.ready;
  if (!stopping.signal.aborted) console.log(readyLine(started));
} catch (error) {
  // A known failure says in its message what to do; anything else needs its stack.
  console.error(error instanceof PaynotifyError ? `paynotify: ${error.message}` : error);
  process.exit(1);
}
