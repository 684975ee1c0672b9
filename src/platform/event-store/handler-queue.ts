/**
 * Runs the handlers of a subscription one at a time. A handler that returns nothing costs nothing; one that returns a
 * promise pauses the source until it is done. Marks (a checkpoint, "caught up") arrive ahead of events that are still
 * buffered, and are held back until those have been handled: a checkpoint reported early would skip them for ever.
 */
export interface HandlerQueue {
  readonly busy: boolean;
  run(handler: Handler): void;
  mark(handler: Handler): void;
  /** No handler is called after this; resolves when the one that runs is done. */
  stop(): Promise<void>;
}

export interface Source {
  pause(): void;
  resume(): void;
  /** Events that have arrived and were not yet handed to `run`. */
  waiting(): number;
  fail(error: unknown): void;
}

type Handler = () => void | Promise<void>;

export function createHandlerQueue(source: Source): HandlerQueue {
  const marks: { readonly after: number; readonly handler: Handler }[] = [];
  let handled = 0;
  let running: 'event' | 'mark' | null = null;
  let stopped = false;
  let idle = Promise.withResolvers<undefined>();
  idle.resolve(undefined);

  function call(kind: 'event' | 'mark', handler: Handler): void {
    running = kind;
    try {
      const result = handler();
      if (result instanceof Promise) wait(result);
      else finish();
    } catch (error) {
      fail(error);
    }
  }

  function wait(result: Promise<void>): void {
    const settled = Promise.withResolvers<undefined>();
    idle = settled;
    source.pause();
    result.then(finishAndResume, fail).finally(() => settled.resolve(undefined));
  }

  function finishAndResume(): void {
    finish();
    if (running === null && !stopped) source.resume();
  }

  function finish(): void {
    if (running === 'event') handled++;
    running = null;
    const next = marks[0];
    if (next === undefined || next.after > handled || stopped) return;
    marks.shift();
    call('mark', next.handler);
  }

  function fail(error: unknown): void {
    running = null;
    stopped = true;
    source.fail(error);
  }

  return {
    get busy() {
      return running !== null;
    },
    run(handler) {
      if (!stopped) call('event', handler);
    },
    mark(handler) {
      const after = handled + (running === 'event' ? 1 : 0) + source.waiting();
      if (running === null && after === handled && !stopped) call('mark', handler);
      else marks.push({ after, handler });
    },
    async stop() {
      stopped = true;
      await idle.promise;
    },
  };
}
