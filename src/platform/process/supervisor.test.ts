import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSupervisor } from './supervisor.ts';
import type { Worker } from './worker.ts';

type Line = { event: string; worker: string; attempt?: number };
let logged: Line[] = [];
const log = pino({ level: 'debug' }, { write: (line) => void logged.push(JSON.parse(line) as Line) });
const supervisors: ReturnType<typeof createSupervisor>[] = [];

function supervisor(): ReturnType<typeof createSupervisor> {
  const made = createSupervisor(log);
  supervisors.push(made);
  return made;
}

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(supervisors.splice(0).map((one) => one.stopAll(1000)));
  logged = [];
});

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });

/** Fails in its first runs as told, then runs until it is aborted; `ran(n)` resolves when run n has begun. */
function worker(name: string, ...firstRuns: (() => Promise<void>)[]): Worker & { ran(run: number): Promise<unknown>; readonly runs: number } {
  let runs = 0;
  const begun = Array.from({ length: 10 }, () => Promise.withResolvers<null>());
  return {
    name,
    get runs() {
      return runs;
    },
    ran: (run) => begun[run - 1]!.promise,
    async run(signal) {
      begun[runs++]?.resolve(null);
      await (firstRuns[runs - 1]?.() ?? untilAborted(signal));
    },
  };
}

const failing = (message: string) => (): Promise<void> => Promise.reject(new Error(message));

describe('a worker that fails', () => {
  it('is started again, and its failure is its health meanwhile', async () => {
    const all = supervisor();
    const projector = worker('projector', failing('channel lost'));
    all.start(projector);
    await vi.waitFor(() => expect(all.health()).toEqual({ projector: { status: 'degraded', reason: 'channel lost' } }), { interval: 1 });
    await projector.ran(2);
    expect(all.health()).toEqual({ projector: { status: 'ok' } });
    expect(logged).toEqual([expect.objectContaining({ event: 'worker.failed', worker: 'projector', attempt: 1 })]);
  });

  it('does not touch its neighbours', async () => {
    const all = supervisor();
    const projector = worker('projector', failing('a'), failing('b'));
    const consumer = worker('consumer');
    all.start(projector);
    all.start(consumer);
    await projector.ran(3);
    expect(consumer.runs).toBe(1);
  });

  it('by ending unasked is started again too', async () => {
    const all = supervisor();
    const mover = worker('mover', () => Promise.resolve());
    all.start(mover);
    await vi.waitFor(() => expect(all.health()).toEqual({ mover: { status: 'degraded', reason: 'ended unasked' } }), { interval: 1 });
    await mover.ran(2);
    expect(logged).toEqual([expect.objectContaining({ event: 'worker.ended', worker: 'mover' })]);
  });

  it('after having run well starts over with the first delay', async () => {
    const all = supervisor();
    let aheadMs = 0;
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs);
    const afterAMinute = async (): Promise<void> => {
      aheadMs += 61_000;
      throw new Error('late');
    };
    const projector = worker('projector', failing('a'), failing('b'), afterAMinute, failing('c'));
    all.start(projector);
    await projector.ran(5);
    expect(logged.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 2]);
  });
});

describe('health', () => {
  it('is what the worker says of itself while it runs', async () => {
    const all = supervisor();
    all.start({ ...worker('projector'), health: () => ({ status: 'starting', reason: 'waiting for the lease' }) });
    all.start(worker('mover'));
    expect(all.health()).toEqual({ projector: { status: 'starting', reason: 'waiting for the lease' }, mover: { status: 'ok' } });
  });
});

describe('stopping', () => {
  it('one worker waits until it has finished what was in flight, and leaves the others running', async () => {
    const all = supervisor();
    const finishing = Promise.withResolvers<null>();
    let finished = false;
    all.start({
      name: 'slow',
      async run(signal) {
        await untilAborted(signal);
        await finishing.promise;
        finished = true;
      },
    });
    all.start(worker('other'));
    const stopped = all.stop('slow');
    finishing.resolve(null);
    await stopped;
    expect(finished).toBe(true);
    expect(Object.keys(all.health())).toEqual(['other']);
  });

  it('an unknown worker does nothing', async () => {
    await expect(supervisor().stop('nobody')).resolves.toBeUndefined();
  });

  it('a worker that waits for its next attempt does not wait for that', async () => {
    const all = supervisor();
    const projector = worker('projector', failing('a'));
    all.start(projector);
    await vi.waitFor(() => expect(all.health()['projector']?.status).toBe('degraded'), { interval: 1 });
    await all.stop('projector');
    expect(projector.runs).toBe(1);
  });

  it('all workers reports that they stopped', async () => {
    const all = supervisor();
    all.start(worker('a'));
    all.start(worker('b'));
    expect(await all.stopAll(60_000)).toBe('stopped');
  });

  it('all workers gives up on one that does not listen', async () => {
    const all = supervisor();
    const release = Promise.withResolvers<null>();
    all.start({ name: 'deaf', run: () => release.promise.then(() => undefined) });
    expect(await all.stopAll(10)).toBe('timed-out');
    release.resolve(null);
  });

  it('a worker that fails at that is told of, and not started again', async () => {
    const all = supervisor();
    let runs = 0;
    all.start({
      name: 'consumer',
      async run(signal) {
        runs += 1;
        await untilAborted(signal);
        throw new Error('broker away');
      },
    });
    expect(await all.stopAll(60_000)).toBe('stopped');
    expect(runs).toBe(1);
    // In words, without a stack.
    expect(logged).toEqual([expect.objectContaining({ event: 'worker.stop-failed', worker: 'consumer', reason: 'broker away' })]);
    expect(JSON.stringify(logged)).not.toContain('stack');
  });

  it('leaves the name free for a new worker, but one name never runs twice', async () => {
    const all = supervisor();
    all.start(worker('projector'));
    expect(() => all.start(worker('projector'))).toThrow('projector is already running');
    await all.stop('projector');
    const second = worker('projector');
    all.start(second);
    expect(second.runs).toBe(1);
  });
});
