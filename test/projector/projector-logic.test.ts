import { describe, expect, it } from 'vitest';
import { TopologyError } from '../../src/contracts/errors.ts';
import { allHeld, checkpointStore, createWorld, eventAt, isPublished, lastPosition, start, until, WINDOW_SIZE } from './misbehaving-peers.ts';

/** The decisions of the projector alone, between peers that misbehave on command. */
describe('the projector', () => {
  it('publishes what is to be published in the order of the log and moves the checkpoint over everything', async () => {
    const world = createWorld(100);
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(world.written).toEqual(world.events.filter(isPublished).map((event) => event.id));
    expect(world.row).toMatchObject({ owner: null, leaseUntilMs: 0 });
  });

  it.each(['nacked', 'returned', 'channel-lost', 'confirm-timeout'] as const)(
    'stands still behind a message that is %s for ever, says so, and goes on when it is not any more',
    async (reason) => {
      let isBroken = true;
      const world = createWorld(20, { nextPublisher: () => ({ sends: isBroken ? 0 : Infinity, reason }) });
      const { projector, stop } = start(world);
      await until(() => projector.health?.().status === 'degraded');
      expect(projector.health?.().reason).toContain(reason);
      expect(projector.provenPosition()).toBe(-1n);
      isBroken = false;
      await until(() => world.row.position >= lastPosition(world));
      expect(projector.health?.().status).toBe('ok');
      await stop();
      expect(allHeld(world)).toBe(true);
      expect(world.violations).toEqual([]);
    },
  );

  it('publishes the last event of the log again when it failed and no later one follows', async () => {
    let publishers = 0;
    const world = createWorld(2, { nextPublisher: () => ({ sends: publishers++ === 0 ? 1 : Infinity, reason: 'nacked' }) });
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(world.written.filter((id) => id === 'event-1').length).toBe(2);
  });

  it('repeats only what was in flight when a round failed', async () => {
    let rounds = 0;
    // Confirmed in order: behind one that is late, others that are confirmed already would be repeated too.
    const world = createWorld(100, { nextSubscription: () => (rounds++ === 0 ? 80 : Infinity), confirmAfterMs: () => 1 });
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(rounds).toBe(2);
    expect(world.written.length).toBeLessThanOrEqual(80 + WINDOW_SIZE);
  });

  it('stores the last proven position when it is stopped before the next regular write', async () => {
    const world = createWorld(10);
    const { projector, stop } = start(world);
    await until(() => projector.provenPosition() === lastPosition(world));
    expect(world.row.position).toBeLessThan(lastPosition(world));
    await stop();
    expect(world.row.position).toBe(lastPosition(world));
  });

  it('finds out that another instance leads although nothing is to be published', async () => {
    const world = createWorld(1);
    const { projector, stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    Object.assign(world.row, { owner: 'another', epoch: world.row.epoch + 1n, leaseUntilMs: Date.now() + 60_000 });
    await until(() => projector.health?.().detail?.role === 'standing-by');
    await stop();
    expect(world.row.owner).toBe('another');
  });

  it('says that the broker accepts nothing while it is blocked', async () => {
    const world = createWorld(1);
    let trouble: string | null = 'the broker is short of memory or disk';
    const { projector, stop } = start(world, { brokerTrouble: () => trouble });
    await until(() => projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toContain('short of memory or disk');
    trouble = null;
    expect(projector.health?.().status).toBe('ok');
    await stop();
  });

  it('publishes nothing while the topology is wrong', async () => {
    const world = createWorld(5);
    const wrong = (): Promise<never> => Promise.reject(new TopologyError('queue "paynotify_queue" is a classic queue'));
    const { projector, stop } = start(world, { openPublisher: wrong });
    await until(() => projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toContain('topology: queue "paynotify_queue" is a classic queue');
    await stop();
    expect(world.written).toEqual([]);
  });

  it('stops publishing when the bindings can no longer be proven, and begins again', async () => {
    const world = createWorld(50);
    let checks = 0;
    const keepBindings = async (signal: AbortSignal): Promise<void> => {
      if (checks++ === 0) throw new TopologyError('a binding may not be made');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const { stop } = start(world, { keepBindings });
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(checks).toBe(2);
    expect(allHeld(world)).toBe(true);
  });

  it('publishes nothing while the checkpoint is unknown', async () => {
    let isAway = true;
    const world = createWorld(5, { databaseFails: () => isAway });
    const { projector, stop } = start(world);
    await until(() => projector.health?.().status === 'starting' && (projector.health().reason?.includes('away') ?? false));
    expect([world.written, projector.position(), projector.provenPosition()]).toEqual([[], null, null]);
    isAway = false;
    await until(() => world.row.position >= lastPosition(world));
    await stop();
  });

  it('goes on publishing while the database is away, and stores the checkpoint when it is back', async () => {
    let isAway = false;
    const world = createWorld(5, { databaseFails: () => isAway });
    const { projector, stop } = start(world);
    await until(() => projector.position() === 40n);
    isAway = true;
    world.events.push(...Array.from({ length: 50 }, (_, i) => eventAt(5 + i)));
    await until(() => allHeld(world) && projector.health?.().status === 'degraded');
    expect([projector.position(), projector.health?.().reason]).toEqual([40n, expect.stringContaining('the checkpoint cannot be stored')]);
    isAway = false;
    await until(() => world.row.position >= lastPosition(world) && projector.health?.().status === 'ok');
    await stop();
    expect(world.written.length).toBe(world.events.filter(isPublished).length);
  });

  it('begins again after the landmark of its checkpoint, and not at a place that is only a number', async () => {
    const world = createWorld(30);
    Object.assign(world.row, { position: 195n, landmark: { position: 150n, eventId: 'event-15', recordedAt: null } });
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    // What lies between the landmark and the checkpoint was none of ours, in the store as it was then.
    expect(world.written[0]).toBe('event-16');
  });

  it('lets one of two instances publish, and the other take over when the first one stops', async () => {
    const world = createWorld(10);
    const first = start(world);
    await until(() => first.projector.position() === lastPosition(world));
    const second = start(world);
    await until(() => second.projector.health?.().detail?.role === 'standing-by');
    world.events.push(eventAt(10));
    await until(() => world.row.position >= lastPosition(world));
    expect(second.projector.position()).toBeNull();
    await first.stop();
    world.events.push(eventAt(11));
    await until(() => second.projector.position() === lastPosition(world));
    await second.stop();
    expect(new Set(world.written).size).toBe(world.written.length);
  });

  it('asks before it publishes when it was paused, and publishes nothing when another instance has the lease', async () => {
    const world = createWorld(10);
    let pausedMs = 0;
    const clock = { monotonicMs: () => performance.now() + pausedMs, wallMs: () => Date.now() };
    // Without a timer firing: as in a process that was just continued, whose timers have not run yet.
    const checkpoints = { ...checkpointStore(world), leaseTtlMs: 60_000 };
    const old = start(world, { clock, checkpoints });
    await until(() => world.row.position >= lastPosition(world));
    const writtenBefore = world.written.length;
    world.row.epoch++;
    Object.assign(world.row, { owner: 'another', leaseUntilMs: Date.now() + 60_000 });
    pausedMs = 60_001;
    world.events.push(eventAt(10));
    await until(() => old.projector.health?.().detail?.role === 'standing-by');
    expect(world.written.length).toBe(writtenBefore);
    await old.stop();
  });
});
