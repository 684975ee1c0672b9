import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AppProcess } from '../harness/app-process.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';

/*
 * The event store is replaced under a database that remembers it. Certain: which payments the store holds that is there
 * now, since each was acknowledged by it. Those of them that were never published must be published once an operator has
 * said that this store is the truth, and until then nothing may say that they were.
 */

const TEST_TIMEOUT_MS = 180_000;
const SEEN_WITHIN_MS = 60_000;

let site: Site;
beforeEach(async () => {
  site = await openSite();
}, TEST_TIMEOUT_MS);
afterEach(() => site.close());

interface Health {
  readonly ready: boolean;
  readonly acceptsWebhooks: boolean;
  readonly workers: Record<string, { readonly status: string; readonly reason?: string }>;
}

interface Adoption {
  readonly outcome: string;
  readonly mismatch: string;
  readonly boundStore: string | null;
  readonly store: string | null;
  readonly from: { readonly eventId: string } | null;
  readonly sendAgain: { readonly events: number; readonly missing: Record<string, number>; readonly first: readonly { readonly payNo: string }[] };
  readonly appliedBehind: number;
}

async function healthOf(app: AppProcess): Promise<Health & { readonly status: number }> {
  const response = await fetch(`${app.url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
  return { status: response.status, ...((await response.json()) as Health) };
}

const bindingOf = (health: Health) => health.workers['event-store-binding'];

async function startReady(): Promise<AppProcess> {
  const app = await site.start();
  await app.ready;
  return app;
}

/** @returns the reason that health gives. */
async function untilMismatch(): Promise<string> {
  return until('health that names the wrong store', SEEN_WITHIN_MS, async () => {
    const health = await healthOf(site.app);
    const binding = bindingOf(health);
    if (binding?.status !== 'degraded') return null;
    expect(health).toMatchObject({ status: 503, ready: false, acceptsWebhooks: true });
    return binding.reason ?? '';
  });
}

async function pay(count: number): Promise<OpenPayment[]> {
  const payments = await site.shop.openPayments(count);
  expect(new Set(await site.shop.payAll(payments))).toEqual(new Set([200]));
  return payments;
}

const trailOf = ({ payNo }: OpenPayment) => site.shop.call<{ state: string; verdict: string; events: { checkpoint: string }[] }>('GET', `/admin/payments/${payNo}`, undefined, 'admin');
const lag = () => site.shop.call<{ mismatch: string | null; projector: { eventsBehind: number } }>('GET', '/admin/lag', undefined, 'admin');
const adopt = (dryRun: boolean) => site.shop.call<Adoption>('POST', '/admin/event-store/adopt', { dryRun }, 'admin');

/** Stops application and store, puts the store's data to `backup`, and starts both. */
async function restart(backup: string | null): Promise<void> {
  await site.app.kill('SIGTERM');
  await site.eventStore.kill();
  await site.eventStore.restore(backup);
  await site.eventStore.start();
  await site.start();
}

async function takeBackup(): Promise<string> {
  await site.app.kill('SIGTERM');
  await site.eventStore.kill();
  const backup = await site.eventStore.backup();
  await site.eventStore.start();
  return backup;
}

/** Nothing says that they were published, and everything says why they are not. */
async function expectTold(unpublished: readonly OpenPayment[]): Promise<void> {
  for (const payment of unpublished.slice(0, 3)) {
    const { state, verdict, events } = await trailOf(payment);
    expect({ state, checkpoints: events.map(({ checkpoint }) => checkpoint) }).toEqual({ state: 'attention', checkpoints: ['internal', 'not-passed'] });
    expect(verdict).not.toContain('was published');
    expect(verdict).toContain('Nothing is published until it is right');
  }
  const { mismatch, projector } = await lag();
  expect(mismatch).toContain('/admin/event-store/adopt');
  expect(projector.eventsBehind).toBeGreaterThanOrEqual(unpublished.length);
  expect(await site.metric('paynotify_event_store_mismatch')).toBe(1);
  // One line, from whoever finds it, and none from those who wait for it.
  expect(site.app.output().split('\n').filter((line) => line.includes('older state of itself') || line.includes('belongs to event store'))).toHaveLength(1);
  expect(site.app.logged('event-store.mismatch')).toHaveLength(1);
  const refusal = await site.shop.call('POST', '/admin/replays', { module: 'orders', mode: 'missing', from: { start: true } }, 'admin').catch((error: unknown) => String(error));
  expect(refusal).toMatch(/409.*event-store-mismatch/);
}

async function adoptAndHeal(expected: Partial<Adoption>, unpublished: readonly OpenPayment[]): Promise<Adoption> {
  const plan = await adopt(true);
  expect(plan).toMatchObject({ outcome: 'dry-run', ...expected });
  expect(plan.sendAgain.missing).toEqual({ learning: unpublished.length, orders: unpublished.length });
  // The dry run changed nothing.
  expect(await adopt(true)).toEqual(plan);
  expect(await adopt(false)).toEqual({ ...plan, outcome: 'adopted' });
  await until('readiness after the adoption', SEEN_WITHIN_MS, async () => ((await healthOf(site.app)).ready ? true : null));
  expect(site.app.logged('event-store.matches')).toHaveLength(1);
  expect(await site.metric('paynotify_event_store_mismatch')).toBe(0);
  const { actions } = await site.shop.call<{ actions: { actor: string; action: string; result: string }[] }>('GET', '/admin/actions', undefined, 'admin');
  expect(actions[0]).toMatchObject({ actor: 'tester', action: 'event-store.adopt', result: 'adopted' });
  await expect(adopt(true)).rejects.toThrow(/409.*event-store-is-bound/);
  return plan;
}

test('an older backup that is still shorter: nothing is published, everybody says why, and after the adoption nothing is lost', { timeout: TEST_TIMEOUT_MS }, async () => {
  await startReady();
  const before = await pay(4);
  await site.assertWhole(before);
  const backup = await takeBackup();
  await startReady();
  const gone = await pay(8);
  await site.assertWhole([...before, ...gone]);
  await restart(backup);
  expect(await untilMismatch()).toMatch(/is an older state of itself: event .* was at \d+, and it ends at \d+/);

  const after = await pay(3);
  await expectTold(after);
  const plan = await adoptAndHeal({ mismatch: 'older-state', appliedBehind: gone.length }, after);
  expect(plan.store).toBe(plan.boundStore);
  expect(plan.sendAgain.first.map(({ payNo }) => payNo).sort()).toEqual(after.map(({ payNo }) => payNo).sort());
  await site.assertWhole([...before, ...after]);
  // What the store has lost keeps its effects, and comes before everything that was paid since.
  const rows = await site.query<{ pay_no: string; paid_generation: string; status: string }>('SELECT pay_no, paid_generation::text, status FROM pay_records');
  const ledger = await site.query<{ generation: string }>(`SELECT DISTINCT generation::text FROM effect_ledger WHERE pay_no = ANY($1)`, [after.map(({ payNo }) => payNo)]);
  expect(ledger).toEqual([{ generation: '2' }]);
  const generationsOf = (payments: readonly OpenPayment[]) => payments.map(({ payNo }) => rows.find((row) => row.pay_no === payNo)).map((row) => [row?.status, row?.paid_generation]);
  expect(generationsOf(gone)).toEqual(gone.map(() => ['601002', '1']));
  expect(generationsOf(after)).toEqual(after.map(() => ['601002', '2']));
});

test('an older backup that has outgrown the old position is not taken for the log it was', { timeout: TEST_TIMEOUT_MS }, async () => {
  await startReady();
  const backup = await takeBackup();
  await startReady();
  await site.assertWhole(await pay(5));
  await restart(backup);
  await untilMismatch();
  const after = await pay(12);
  // Started again, it finds something else where its last event was.
  await site.app.kill('SIGKILL');
  await site.start();
  expect(await untilMismatch()).toContain('and something else lies there');
  await expectTold(after);
  await adoptAndHeal({ mismatch: 'older-state', appliedBehind: 5 }, after);
  await site.assertWhole(after);
});

test('a store that was emptied is another one, with an identity of its own', { timeout: TEST_TIMEOUT_MS }, async () => {
  await startReady();
  await site.assertWhole(await pay(2));
  await restart(null);
  const reason = await untilMismatch();
  const [bound] = await site.query<{ store_id: string }>('SELECT store_id::text FROM event_store_binding');
  expect(reason).toContain(`belongs to event store ${bound?.store_id}`);
  expect(reason).toMatch(/is another one or was emptied: [0-9a-f-]{36}, begun at/);
  const after = await pay(2);
  await expectTold(after);
  const plan = await adoptAndHeal({ mismatch: 'another-store', from: null, boundStore: bound?.store_id ?? '' }, after);
  expect(reason).toContain(plan.store ?? 'no identity');
  await site.assertWhole(after);
});

test('a store that is swapped while the application runs is noticed, and the right one heals without anybody', { timeout: TEST_TIMEOUT_MS }, async () => {
  await startReady();
  const backup = await takeBackup();
  await startReady();
  const payments = await pay(3);
  await site.assertWhole(payments);
  await site.eventStore.kill();
  const right = await site.eventStore.backup();
  await site.eventStore.restore(backup);
  await site.eventStore.start();
  await untilMismatch();
  await site.eventStore.kill();
  await site.eventStore.restore(right);
  await site.eventStore.start();
  await until('readiness', SEEN_WITHIN_MS, async () => ((await healthOf(site.app)).ready ? true : null));
  await site.assertWhole([...payments, ...(await pay(3))]);
});
