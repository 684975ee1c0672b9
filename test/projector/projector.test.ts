import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deadQueueOf, PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { createTestVhost, type TestVhost } from '../harness/services.ts';
import { createProjectorWorld, QUEUES, type ProjectorWorld } from './projector-world.ts';

let vhost: TestVhost;
let world: ProjectorWorld;

beforeEach(async () => {
  vhost = await createTestVhost();
  world = await createProjectorWorld(vhost.url);
});
afterEach(async () => {
  await world.close();
  await vhost.delete();
});

const until = (what: () => boolean | Promise<boolean>): Promise<boolean> => vi.waitUntil(what, { timeout: 30_000, interval: 20 });
const isStored = async (): Promise<boolean> => (await world.checkpoint()) >= (await world.store.headPosition());

/** As before the first start ever. */
async function removeQueues(): Promise<void> {
  for (const queue of QUEUES.flatMap((name) => [name, deadQueueOf(name)])) await world.reader.client.queueDelete(queue);
}

async function taken(): Promise<string[][]> {
  return [await world.reader.takeAll(QUEUES[0]!), await world.reader.takeAll(QUEUES[1]!)];
}

describe('the projector between real parts', () => {
  it('brings every published event into every module queue in the order of the log, and nothing internal', async () => {
    await removeQueues();
    const { projector, stop } = world.start();
    const ids = await world.pay(200);
    await until(isStored);
    expect(await taken()).toEqual([ids, ids]);
    expect(projector.health?.()).toMatchObject({ status: 'ok', detail: { role: 'leading', inFlight: 0 } });
    expect(projector.position()).toBe(await world.checkpoint());
    expect(projector.provenPosition()).toBe(projector.position());
    await stop();
    expect(await world.database.checkpoint.findFirst()).toMatchObject({ owner: null, leaseUntil: null });
  });

  it('publishes everything from the start when there is no checkpoint yet, and only what is new after a restart', async () => {
    const before = await world.pay(50);
    const first = world.start();
    await until(isStored);
    await first.stop();
    const after = await world.pay(50);
    const second = world.start();
    await until(isStored);
    await second.stop();
    expect(await taken()).toEqual([[...before, ...after], [...before, ...after]]);
  });

  it('passes the window "written out" and then the window "confirmed" of every payment', async () => {
    const passed: string[] = [];
    world.start({ reach: (window, payNo) => passed.push(`${window} ${payNo}`) });
    await world.pay(20);
    await until(isStored);
    const payNos = passed.filter((line) => line.startsWith('projector.published')).map((line) => line.split(' ')[1]);
    expect(new Set(payNos).size).toBe(20);
    for (const payNo of payNos) {
      expect(passed.filter((line) => line.endsWith(` ${payNo}`))).toEqual([`projector.published ${payNo}`, `projector.confirmed ${payNo}`]);
    }
  });

  it('moves the checkpoint over foreign and internal events without publishing them', async () => {
    const { projector } = world.start();
    await until(() => projector.health?.().status === 'ok');
    await world.store.append('payment-x', [{ id: crypto.randomUUID(), type: 'PaymentRequested', data: {}, metadata: {} }], 'no-stream');
    await until(isStored);
    expect(await taken()).toEqual([[], []]);
  });
});

describe('a message that reaches no queue', () => {
  it('is published again until both queues have it, and nothing after it is forgotten', async () => {
    const { projector, failures } = world.start();
    const before = await world.pay(1);
    await until(isStored);
    const after: string[] = [];
    // Bindings are renewed every second, perhaps just before the next payment: then it is tried again.
    while (!('returned' in (await failures()))) {
      for (const queue of QUEUES) await world.reader.client.queueUnbind({ exchange: PAYNOTIFY_EXCHANGE, queue, routingKey: '' });
      after.push(...(await world.pay(20)));
      await until(isStored);
    }
    const [learning, orders] = await taken();
    expect(new Set(learning)).toEqual(new Set([...before, ...after]));
    expect(new Set(orders)).toEqual(new Set([...before, ...after]));
    expect(projector.health?.().status).toBe('ok');
  });
});

describe('one missing binding of two', () => {
  it('is made again within about a second, which no return would ever report', async () => {
    const { failures } = world.start();
    await world.pay(1);
    await until(isStored);
    await world.reader.client.queueUnbind({ exchange: PAYNOTIFY_EXCHANGE, queue: QUEUES[1]!, routingKey: '' });
    const channel = await world.reader.client.acquire();
    await until(async () => {
      await channel.basicPublish({ exchange: PAYNOTIFY_EXCHANGE }, 'is it bound?');
      return (await world.reader.count(QUEUES[1]!)) > 1;
    });
    await channel.close();
    await taken();
    const ids = await world.pay(5);
    await until(isStored);
    expect(await taken()).toEqual([ids, ids]);
    expect(await failures()).toEqual({});
  });
});

describe('a queue of the wrong type', () => {
  it('blocks publishing into every queue, says so, and publishing begins when it is put right', async () => {
    await removeQueues();
    await world.reader.client.queueDeclare({ queue: QUEUES[1]!, durable: true });
    const before = await world.checkpoint();
    const ids = await world.pay(3);
    const { projector, failures } = world.start();
    await until(() => projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toMatch(/^topology: The queue "paynotify_orders_queue" \(durable quorum\) exists on the broker with other properties/);
    expect(await world.reader.count(QUEUES[0]!)).toBe(0);
    expect(await world.checkpoint()).toBe(before);
    await world.reader.client.queueDelete(QUEUES[1]);
    await until(isStored);
    expect(await taken()).toEqual([ids, ids]);
    expect(Object.keys(await failures())).toEqual(['topology']);
  });
});

/** A loaded machine may need longer for a connection than there is between two cuts: then there would be no end of it. */
const CUTS_MAX = 20;

describe('a lost broker connection', () => {
  it('costs repeats and nothing else, however often it is cut in mid window', async () => {
    const { projector } = world.start();
    await until(() => projector.health?.().status === 'ok');
    let cuts = 0;
    const cutting = setInterval(() => cuts++ < CUTS_MAX && world.brokerProxy.cut(), 400);
    const ids = await world.pay(1500);
    clearInterval(cutting);
    await until(isStored);
    const [learning, orders] = await taken();
    expect(new Set(learning)).toEqual(new Set(ids));
    expect(new Set(orders)).toEqual(new Set(ids));
  });

  it('is reported while nothing is to be published, and forgotten when it is back', async () => {
    const { projector } = world.start();
    await until(() => projector.health?.().status === 'ok');
    world.brokerProxy.refuse = true;
    world.brokerProxy.cut();
    await until(() => projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toMatch(/ended the connection without a word/);
    world.brokerProxy.refuse = false;
    await until(() => projector.health?.().status === 'ok');
  });

  it('is noticed by missing confirms alone, when the broker only falls silent', async () => {
    const { projector, failures } = world.start({ settings: { windowSize: 64, confirmTimeoutMs: 300 } });
    await world.pay(1);
    await until(isStored);
    world.brokerProxy.swallowAnswers = true;
    const ids = await world.pay(10);
    await until(async () => (await failures())['confirm-timeout'] === 1);
    expect(projector.health?.().status).toBe('degraded');
    expect(await isStored()).toBe(false);
    world.brokerProxy.swallowAnswers = false;
    world.brokerProxy.cut();
    await until(isStored);
    for (const queue of await taken()) expect(new Set(queue)).toEqual(new Set([queue[0], ...ids]));
  });
});

describe('a database that is away', () => {
  it('does not stop publishing, and the checkpoint is stored when it is back', async () => {
    const { projector } = world.start({ leaseTtlMs: 600 });
    await world.pay(1);
    await until(isStored);
    const storedBefore = await world.checkpoint();
    world.databaseProxy.refuse = true;
    world.databaseProxy.cut();
    const ids = await world.pay(100);
    const head = await world.store.headPosition();
    await until(() => projector.provenPosition() === head && projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toContain('the checkpoint cannot be stored');
    expect(await world.checkpoint()).toBe(storedBefore);
    expect((await taken())[0]?.slice(1)).toEqual(ids);
    world.databaseProxy.refuse = false;
    await until(isStored);
    await until(() => projector.health?.().status === 'ok');
  });

  it('keeps a projector without a checkpoint from publishing anything', async () => {
    await removeQueues();
    world.databaseProxy.refuse = true;
    await world.pay(3);
    const { projector } = world.start();
    await until(() => projector.health?.().reason?.includes('the checkpoint cannot be read') ?? false);
    expect(projector.position()).toBeNull();
    await expect(world.reader.count(QUEUES[0]!)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    world.databaseProxy.refuse = false;
    await until(isStored);
  });
});

describe('two projectors', () => {
  it('publish each event once: the second one stands by and takes over', async () => {
    const [first, second] = [world.start(), world.start()];
    const ids = await world.pay(50);
    await until(isStored);
    const [leader, other] = first.projector.position() === null ? [second, first] : [first, second];
    expect(other.projector.health?.()).toMatchObject({ status: 'ok', detail: { role: 'standing-by' } });
    await leader.stop();
    const more = await world.pay(50);
    await until(isStored);
    expect(other.projector.health?.()).toMatchObject({ detail: { role: 'leading' } });
    expect(await taken()).toEqual([[...ids, ...more], [...ids, ...more]]);
  });

  it('fence one that was paused past its lease: it publishes nothing and moves no checkpoint when it wakes up', async () => {
    let pausedMs = 0;
    const clock = { monotonicMs: () => performance.now() + pausedMs, wallMs: () => Date.now() };
    const old = world.start({ clock });
    const before = await world.pay(5);
    await until(isStored);
    // The pause: no renewal of the old owner arrives, its lease ends by the database's clock, and another one takes over.
    await world.database.$executeRaw`UPDATE checkpoints SET lease_until = now() - interval '1 second'`;
    const next = world.start();
    await until(() => next.projector.position() !== null);
    await until(() => next.projector.health?.().status === 'ok');
    const [epoch] = [(await world.database.checkpoint.findFirst())!.epoch];
    pausedMs = 60_000;
    const after = await world.pay(20);
    await until(() => old.projector.health?.().detail?.role === 'standing-by');
    await until(isStored);
    expect(await old.failures()).toEqual({ fenced: 1 });
    expect(await taken()).toEqual([[...before, ...after], [...before, ...after]]);
    expect((await world.database.checkpoint.findFirst())!.epoch).toBe(epoch);
  });
});
