import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECTOR_NAME } from '../../src/modules/projector/index.ts';
import type { AppProcess } from '../harness/app-process.ts';
import { until } from '../harness/until.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/*
 * Two applications on the same servers; one holds the projector's lease, for 10 s from its last renewal. Certain: at any
 * time at most one of them may move the checkpoint. Not certain: which one consumes which queue.
 */

/** Three seconds of load: it goes on while the lease runs out. */
const LOAD = 60;
const PER_SECOND = 20;
const STRIKE_AFTER = 10;
/** Lease, poll, and a machine that has other things to do. */
const TAKEN_OVER_WITHIN_MS = 40_000;
const TEST_TIMEOUT_MS = 180_000;

let site: Site;
let leader: AppProcess;
let standby: AppProcess;
const paid: OpenPayment[] = [];

beforeAll(async () => {
  site = await openSite();
  leader = await site.start();
  await leader.ready;
  standby = await site.start();
  await standby.ready;
}, TEST_TIMEOUT_MS);

afterAll(() => site?.close());

interface Projector {
  readonly role: 'leading' | 'standing-by' | null;
  readonly epoch: bigint;
}

async function projectorOf(app: AppProcess): Promise<Projector> {
  const response = await fetch(`${app.url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
  const { workers } = (await response.json()) as { workers: { projector?: { detail?: { role?: Projector['role']; epoch?: string } } } };
  return { role: workers.projector?.detail?.role ?? null, epoch: BigInt(workers.projector?.detail?.epoch ?? -1) };
}

function untilRole(app: AppProcess, role: Projector['role']): Promise<Projector> {
  return until(`an application that is ${role}`, TAKEN_OVER_WITHIN_MS, async () => {
    const projector = await projectorOf(app);
    return projector.role === role ? projector : null;
  });
}

async function storedEpoch(): Promise<bigint> {
  const [row] = await site.query<{ epoch: string }>(`SELECT epoch::text FROM checkpoints WHERE name = '${PROJECTOR_NAME}'`);
  return BigInt(row?.epoch ?? -1);
}

test('one leads, the other stands by; when the leader is killed under load the other takes over and nothing is lost', { timeout: TEST_TIMEOUT_MS }, async () => {
  const before = await untilRole(leader, 'leading');
  await untilRole(standby, 'standing-by');
  const payments = await site.shop.openPayments(LOAD);

  // The provider talks to the one that stands by, and to one port only.
  const paying = site.shop.payAtRate(payments, PER_SECOND);
  await site.untilEffected(payments, STRIKE_AFTER);
  expect((await leader.kill('SIGKILL')).signal).toBe('SIGKILL');
  const after = await untilRole(standby, 'leading');
  expect(after.epoch).toBeGreaterThan(before.epoch);
  await paying;
  paid.push(...payments);
  await site.assertWhole(paid);
});

test('a leader frozen until its lease is lost finds itself fenced when it wakes up', { timeout: TEST_TIMEOUT_MS }, async () => {
  const frozen = standby;
  const awake = await site.start();
  await awake.ready;
  const before = await untilRole(frozen, 'leading');
  const payments = await site.shop.openPayments(2 * LOAD);

  const paying = site.shop.payAtRate(payments.slice(0, LOAD), PER_SECOND);
  await site.untilEffected(payments, STRIKE_AFTER);
  frozen.freeze();
  const after = await untilRole(awake, 'leading');
  expect(after.epoch).toBeGreaterThan(before.epoch);
  frozen.thaw();
  await untilRole(frozen, 'standing-by');
  await Promise.all([paying, site.shop.payAll(payments.slice(LOAD))]);

  paid.push(...payments);
  await site.assertWhole(paid);
  expect(await storedEpoch()).toBe(after.epoch);
  expect((await projectorOf(awake)).role).toBe('leading');
});
