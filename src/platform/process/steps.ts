import type { Logger } from '../observe/logger.ts';

/**
 * Starting is a list of named steps; stopping is the same list backwards. A step that fails stops the ones before it, so
 * that a failed start leaves nothing running. A step that was still starting then is stopped as soon as it has started.
 */
export interface Steps {
  /**
   * Runs `start`; `stop` is called with its result when everything is stopped.
   * @throws what `start` throws, or an Error when everything was stopped meanwhile.
   */
  run<T>(name: string, start: () => Promise<T>, stop: (started: T) => Promise<void>): Promise<T>;
  /** Stops everything, last step first, for good. A step that throws is logged and does not keep the others from stopping. */
  stop(): Promise<void>;
}

interface Step {
  readonly name: string;
  stop(): Promise<void>;
}

/** @param givenUp aborted when everything is to be stopped: what fails from then on fails because of it. */
export function createSteps(log: Logger, givenUp?: AbortSignal): Steps {
  const started: Step[] = [];
  let stopped = false;
  // Read anew after each wait: somebody may have stopped everything meanwhile.
  const isStopped = (): boolean => stopped;

  async function stopStep(step: Step): Promise<void> {
    const begunAt = performance.now();
    try {
      await step.stop();
      log.debug({ event: 'step.stopped', step: step.name, durationMs: Math.round(performance.now() - begunAt) });
    } catch (error) {
      log.error({ event: 'step.stop-failed', step: step.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  async function stop(): Promise<void> {
    stopped = true;
    for (let step = started.pop(); step !== undefined; step = started.pop()) await stopStep(step);
  }

  return {
    stop,
    async run(name, start, stopResult) {
      if (isStopped()) throw new Error(`step ${name} was not started: everything is being stopped`);
      const begunAt = performance.now();
      let result;
      try {
        result = await start();
      } catch (error) {
        if (givenUp?.aborted === true) log.debug({ event: 'step.given-up', step: name });
        else log.error({ event: 'step.failed', step: name, err: error });
        await stop();
        throw error;
      }
      const step = { name, stop: () => stopResult(result) };
      if (isStopped()) {
        await stopStep(step);
        throw new Error(`step ${name} was stopped: everything was stopped while it started`);
      }
      started.push(step);
      log.debug({ event: 'step.started', step: name, durationMs: Math.round(performance.now() - begunAt) });
      return result;
    },
  };
}
