import { describe, expect, it } from 'vitest';
import type { RefusalReason, WebhookRequest } from '../../src/modules/payments/providers/provider.ts';
import { interruptAfterMs } from '../harness/interruptible.ts';
import { createRandom, seedOfRun, type Random } from '../harness/random.ts';
import { asReceived, type SentRequest } from './fuzz/sent-request.ts';
import { NOW, TARGETS, type Target } from './fuzz/targets.ts';

/**
 * Altered and forged requests against each verifier. Certain: whatever is believed is, byte for byte, what somebody with
 * a key of the account has signed within the last minutes; nothing throws; no request costs much. Not certain: which
 * reason a refusal gives.
 *
 * A failure names its seed and shows its request; `PAYNOTIFY_TEST_SEED=<seed>` makes the same changes again, to requests
 * that are signed with new keys.
 */
const CASES = 12_000;
const SEED = seedOfRun();
/** Of processor time, which other programs cannot use up. An ordinary case takes 0.1 ms; this catches what grows too fast. */
const CASE_CPU_MS_MAX = 250;
const RUN_CPU_MS_MAX = 15_000;
/** Of time on the clock: by then it would never end. */
const HANGS_AFTER_MS = 20_000;
const CASES_AT_ONCE = 500;
const CHANGES_MAX = 3;

/** Most of it is the altering; on a machine with other things to do it takes ten times as long. */
const TEST_TIMEOUT_MS = 180_000;

interface Case {
  readonly received: WebhookRequest;
  readonly now: Date;
}

function makeCase({ genuine, forged, mutations }: Target, random: Random): Case {
  const isForged = random.chance(0.1);
  let request: SentRequest = random.pick(isForged ? forged : genuine);
  // A forgery is also sent as it is, and now and then a genuine request is: believing nothing would not be correct either.
  const changes = random.chance(isForged ? 0.3 : 0.02) ? 0 : 1 + random.below(CHANGES_MAX);
  for (let change = 0; change < changes; change++) {
    request = random.pick(random.pick(mutations))(request, random, random.pick(random.chance(0.2) ? forged : genuine));
  }
  const offsetSeconds = random.chance(0.1) ? random.below(800) - 400 : 0;
  return { received: asReceived(request), now: new Date(NOW.getTime() + offsetSeconds * 1000) };
}

/** @returns what is wrong with believing this, or null. */
function wrongBelief(target: Target, { received, now }: Case): string | null {
  const { genuine, alsoSigned = [], freshness } = target;
  if (![...genuine, ...alsoSigned].some((signed) => target.isAsSigned(received, signed))) return 'nobody has signed this';
  if (freshness === null) return null;
  const ageSeconds = Math.floor(now.getTime() / 1000) - freshness.of(received);
  return Math.abs(ageSeconds) <= freshness.secondsMax ? null : `it is ${ageSeconds} s old`;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function shown({ received, now }: Case): string {
  return JSON.stringify({ now, headers: received.headers, body: received.body.toString('latin1').slice(0, 2_000) });
}

interface Run {
  believed: number;
  readonly reasons: Map<RefusalReason, number>;
  totalMs: number;
}

function runAll(target: Target): Run {
  const run: Run = { believed: 0, reasons: new Map(), totalMs: 0 };
  let index = 0;
  const runSome = (): void => {
    for (const end = index + CASES_AT_ONCE; index < end; index++) runCase(target, index, run);
  };
  while (index < CASES) {
    try {
      interruptAfterMs(HANGS_AFTER_MS, runSome);
    } catch (error) {
      const it = makeCase(target, createRandom(SEED + index));
      throw new Error(`seed ${SEED}, case ${index}: ${(error as Error).message}: ${shown(it)}`, { cause: error });
    }
  }
  return run;
}

/** @throws Error with what is wrong. */
function runCase(target: Target, index: number, run: Run): void {
  const it = makeCase(target, createRandom(SEED + index));
  const before = cpuMs();
  const verification = target.account.verify(it.received, it.now);
  if (verification.outcome === 'verified') verification.read();
  const tookMs = cpuMs() - before;
  run.totalMs += tookMs;
  if (tookMs > CASE_CPU_MS_MAX) throw new Error(`took ${tookMs} ms`);
  if (verification.outcome === 'refused') {
    run.reasons.set(verification.reason, (run.reasons.get(verification.reason) ?? 0) + 1);
    return;
  }
  run.believed++;
  const problem = wrongBelief(target, it);
  if (problem !== null) throw new Error(`${problem}, but it was believed`);
}

/** So that a run cannot pass by never getting far. */
const REASONS: Readonly<Record<Target['provider'], readonly RefusalReason[]>> = {
  standard: ['headers-missing', 'headers-malformed', 'signature-malformed', 'signature-mismatch', 'timestamp-stale', 'timestamp-in-future'],
  alipay: ['body-malformed', 'charset-unsupported', 'signature-type', 'signature-malformed', 'signature-mismatch'],
  wechatpay: ['headers-missing', 'headers-malformed', 'signature-probe', 'unknown-serial', 'no-active-key', 'signature-malformed', 'signature-mismatch', 'timestamp-stale', 'timestamp-in-future'],
  stripe: ['headers-missing', 'signature-malformed', 'signature-mismatch', 'timestamp-stale', 'timestamp-in-future'],
};

describe.each(TARGETS)('the verifier of $provider', (target) => {
  it('believes everything that was signed for it', () => {
    for (const request of target.genuine) expect(interruptAfterMs(HANGS_AFTER_MS, () => target.account.verify(asReceived(request), NOW))).toMatchObject({ outcome: 'verified' });
    expect(target.genuine.length).toBeGreaterThanOrEqual(4);
  });

  it('believes no forgery', () => {
    for (const request of target.forged) expect(interruptAfterMs(HANGS_AFTER_MS, () => target.account.verify(asReceived(request), NOW))).toMatchObject({ outcome: 'refused' });
  });

  it(`believes, out of ${CASES} altered requests, only what was signed, and none costs much`, () => {
    const run = runAll(target);
    expect([...run.reasons.keys()], `seed ${SEED}`).toEqual(expect.arrayContaining([...REASONS[target.provider]]));
    expect(run.believed, `seed ${SEED}`).toBeGreaterThan(CASES / 100);
    expect(run.believed, `seed ${SEED}`).toBeLessThan(CASES / 2);
    expect(run.totalMs).toBeLessThan(RUN_CPU_MS_MAX);
  }, TEST_TIMEOUT_MS);
});
