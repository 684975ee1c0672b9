import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { UNMATCHED_EVENT_TYPE } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import { readProven } from '../../src/modules/admin/proven-positions.ts';
import { createNotificationRegister } from '../../src/modules/payments/index.ts';
import { readNotificationCheckpoint } from '../../src/modules/payments/notification-rows.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, landmarkOf, type Position } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createRig as createAdminRig, until } from '../admin/rig.ts';
import { openWorkItem } from '../../src/modules/work-items/index.ts';
import { openSite } from '../harness/site.ts';
import { createTestVhost } from '../harness/services.ts';
import { createProjectorWorld } from '../projector/projector-world.ts';

/*
 * From EventStoreDB 24.2 to KurrentDB 25.0 the checkpoint that ends a filtered catch-up is {commit: the place that the next
 * event will get, prepare: 0} whenever the events it has considered fill whole windows. Certain: the next event gets just
 * that commit. Whoever keeps one number, or compares one, takes that event for one that was dealt with.
 */

/** Events that a server considers at once; the default of the client. */
const WINDOW = 32;
const NEXT_PLACE = { checkpoints: 'next-place' } as const;

/** Fills the window with events of others, counted from the start of the log. @returns the place that the next event will get. */
async function fillWindow(store: EventStore): Promise<Position> {
  const { events } = await store.readAll(BEFORE_ALL, [''], 10_000);
  const missing = WINDOW - (events.length % WINDOW);
  await appendForeign(store, missing);
  let named: Position = BEFORE_ALL;
  const over = new AbortController();
  await store.follow(BEFORE_ALL, ['nobody-'], { onEvent: () => undefined, onCheckpoint: (position) => void (named = position), onCaughtUp: () => over.abort() }, over.signal);
  expect(named).toEqual({ commit: expect.any(BigInt), prepare: 0n });
  expect(named.commit).toBeGreaterThan(await store.headPosition());
  return named;
}

async function appendForeign(store: EventStore, count: number): Promise<void> {
  const events = Array.from({ length: count }, () => ({ id: randomUUID(), type: 'InvoiceSent', data: {}, metadata: {} }));
  await store.append(`invoice-${randomUUID()}`, events, 'no-stream');
}

async function appendUnmatched(store: EventStore): Promise<{ readonly id: string }> {
  const about = { provider: 'standard', account: 'demo', providerTradeNo: 't1', notificationId: 'n1', payNo: 'p1' };
  const notification = { ...about, kind: 'closed', providerType: 'payment.closed', closedAt: '2026-11-24T07:30:00.000Z', claims: {} };
  const event = { id: randomUUID(), type: UNMATCHED_EVENT_TYPE, data: { ...about, notification, receivedAt: '2026-11-24T07:30:00.000Z' }, metadata: {} };
  await store.append('unmatched-standard-demo', [event], 'no-stream');
  return event;
}

async function onNextPlaceStore(work: (store: EventStore) => Promise<void>): Promise<void> {
  const server = await startEventStoreServer({ port: 0, directory: null, ...NEXT_PLACE });
  const store = connectEventStore(`esdb://127.0.0.1:${server.port}?tls=false`, silentLogger);
  try {
    await work(store);
  } finally {
    await store.dispose();
    await server.close();
  }
}

test('a place is handed back as it was named: following and reading go on with the event that lies there', () =>
  onNextPlaceStore(async (store) => {
    const place = await fillWindow(store);
    const event = { id: randomUUID(), type: 'PaymentClosed', data: {}, metadata: {} };
    await store.append('payment-next', [event], 'no-stream');
    expect((await store.readStream('payment-next'))[0]?.position).toBe(place.commit);

    const seen: StoredEvent[] = [];
    const over = new AbortController();
    await store.follow(place, ['payment-'], { onEvent: (stored) => void seen.push(stored), onCheckpoint: () => undefined, onCaughtUp: () => over.abort() }, over.signal);
    expect(seen.map(({ id }) => id)).toEqual([event.id]);
    const page = await store.readAll(place, ['payment-'], 10);
    expect([page.events.map(({ id }) => id), page.scannedTo]).toEqual([[event.id], behindEvent(place.commit)]);
    expect(await store.readAll(page.scannedTo, ['payment-'], 10)).toMatchObject({ events: [], atEnd: true });
  }));

test('the projector publishes the event that lies at its stored checkpoint', async () => {
  const vhost = await createTestVhost();
  const world = await createProjectorWorld(vhost.url, NEXT_PLACE);
  try {
    const first = world.start();
    const [paid] = await world.pay(1);
    await vi.waitUntil(async () => (await world.checkpoint()) >= (await world.store.headPosition()), { timeout: 30_000 });
    await first.stop();
    // Counted from the landmark, the last event that was dealt with.
    await appendForeign(world.store, WINDOW - 1);
    const second = world.start();
    await vi.waitUntil(async () => (await world.checkpoint()) > (await world.store.headPosition()), { timeout: 30_000 });
    await second.stop();
    expect(await world.database.checkpoint.findFirst()).toMatchObject({ preparePosition: 0n });
    const checkpoint = await world.checkpoint();

    const [next] = await world.pay(1);
    expect((await world.store.readAll(BEFORE_ALL, ['payment-'], 1_000)).events.map(({ position }) => position)).toContain(checkpoint);
    const third = world.start();
    await vi.waitUntil(async () => (await world.checkpoint()) >= (await world.store.headPosition()), { timeout: 30_000 });
    await third.stop();
    expect(await world.reader.takeAll('paynotify_queue')).toEqual([paid, next]);
  } finally {
    await world.close();
    await vhost.delete();
  }
});

test('the register of notifications lists the one that lies at its stored checkpoint', async () => {
  const rig = await createAdminRig(NEXT_PLACE);
  const { db, store } = rig;
  // A projector that is never behind: its landmark is always the newest event.
  const lookAtStore = async () => {
    const head = await store.eventAt(await store.headPosition());
    return { storeId: '', generation: 1n, landmark: head === null ? null : landmarkOf(head) };
  };
  const whileRegistering = async (done: () => Promise<boolean>): Promise<void> => {
    const stop = new AbortController();
    const running = createNotificationRegister({ db, store, lookAtStore, verifyStore: async () => undefined, openWorkItem, log: silentLogger }).run(stop.signal);
    await until('the register', done);
    stop.abort();
    await running;
  };
  const place = await fillWindow(store);
  // It stores where it is when it has run for a while; that is what it would have stored.
  await db.checkpoint.create({ data: { name: 'notifications', commitPosition: place.commit, preparePosition: place.prepare } });
  expect(await readNotificationCheckpoint(db, 1n)).toEqual(place);

  const event = await appendUnmatched(store);
  expect((await store.readStream('unmatched-standard-demo'))[0]?.position).toBe(place.commit);
  await whileRegistering(async () => (await db.notificationRecord.count({ where: { eventId: event.id } })) === 1);
});

test('the register begins at the landmark when its own checkpoint lies behind it: in this state of the log it may never have been there', async () => {
  const { db, store } = await createAdminRig();
  const landmark = landmarkOf((await store.eventAt(await store.headPosition()))!);
  const event = await appendUnmatched(store);
  await db.checkpoint.create({ data: { name: 'notifications', commitPosition: 1_000_000n, preparePosition: 1_000_000n } });
  const lookAtStore = async () => ({ storeId: '', generation: 1n, landmark });
  const stop = new AbortController();
  const running = createNotificationRegister({ db, store, lookAtStore, verifyStore: async () => undefined, openWorkItem, log: silentLogger }).run(stop.signal);
  await until('the register', async () => (await db.notificationRecord.count({ where: { eventId: event.id } })) === 1);
  stop.abort();
  await running;
});

test('the reconciler finds the event that lies at its proven place, and the trail calls it published only behind a landmark', async () => {
  const rig = await createAdminRig(NEXT_PLACE);
  const place = await fillWindow(rig.store);
  rig.standAt(place);
  // One event alone in its stream: it lies just there. To be proven is what lies in front of it.
  const event = { id: randomUUID(), type: 'PaymentSucceeded', data: {}, metadata: {} };
  await rig.store.append('payment-p1', [event], 'no-stream');
  expect((await rig.store.readStream('payment-p1'))[0]?.position).toBe(place.commit);
  const before = await rig.startReconciler();
  await until('the proven place', async () => (await readProven(rig.db, 1n)).get('orders')?.commit === place.commit);
  await before.stop();
  expect((await readProven(rig.db, 1n)).get('orders')).toEqual(place);
  expect((await rig.get('/payments/p1')).json).toMatchObject({ state: 'delivering', events: [{ checkpoint: 'not-passed' }] });
  expect((await rig.get('/lag')).json.projector).toMatchObject({ eventsBehind: 1 });

  // A projector that has passed it, though no queue got it.
  rig.checkpoint = place.commit;
  expect((await rig.get('/payments/p1')).json).toMatchObject({ events: [{ checkpoint: 'passed' }] });
  await rig.startReconciler();
  await until('the alarm', async () => (await rig.metrics.gapEvents.get()).values.some(({ labels, value }) => labels.module === 'orders' && value === 1));
});

test('a refund that lies exactly at the checkpoint of a restarted application reaches the modules', { timeout: 180_000 }, async () => {
  const site = await openSite({ eventStoreOptions: ['--checkpoints', 'next-place'] });
  try {
    await (await site.start()).ready;
    const [first, second] = await site.shop.openPayments(2);
    await site.shop.payAll([first!]);
    await site.assertWhole([first!]);
    await site.app.kill('SIGTERM');
    const store = connectEventStore(site.eventStore.url, silentLogger);
    await appendForeign(store, WINDOW - 1);
    await store.dispose();
    for (let start = 0; start < 2; start++) {
      await (await site.start()).ready;
      await site.app.kill('SIGTERM');
    }
    await (await site.start()).ready;
    await site.shop.payAll([second!]);
    await site.assertWhole([first!, second!]);
  } finally {
    await site.close();
  }
});
