import { createDecipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generateDemoAccounts, type OutcomeToSign, type SigningKey } from '../../src/modules/payments/index.ts';
import { readProviderAccounts } from '../../src/modules/payments/provider-accounts.ts';
import { OutcomeNotSentError } from '../../src/modules/payments/providers/outcome-to-sign.ts';
import type { Reading, WebhookRequest } from '../../src/modules/payments/providers/provider.ts';
import { alipayFields, signAlipayForm } from '../../src/modules/payments/providers/sign-alipay.ts';
import { signStandardMessage, standardPayload } from '../../src/modules/payments/providers/sign-standard.ts';
import { signStripeBody, stripeEvent } from '../../src/modules/payments/providers/sign-stripe.ts';
import { encryptResource, signWechatPay, signWechatPayBody } from '../../src/modules/payments/providers/sign-wechatpay.ts';
import { interruptAfterMs } from '../harness/interruptible.ts';
import { createRandom, seedOfRun, type Random } from '../harness/random.ts';
import { oddJson, oddValue } from './fuzz/odd-json.ts';
import { whatIsWrongWith } from './fuzz/well-formed.ts';

/**
 * Odd contents under right signatures: a provider that changes its format, or whose key was stolen. Certain: nothing
 * throws, and whatever is read is well-formed in our words, without a member more.
 *
 * `PAYNOTIFY_TEST_SEED=<seed>` runs the cases of a failure again.
 */
/** Signing with RSA costs a millisecond, so that there are fewer of those. */
const CASES: Readonly<Record<SigningKey['provider'], number>> = { standard: 10_000, stripe: 10_000, alipay: 3_000, wechatpay: 3_000 };
const SEED = seedOfRun();
const NOW = new Date();
const CASE_CPU_MS_MAX = 250;
/** Of time on the clock: by then it would never end. */
const HANGS_AFTER_MS = 30_000;
const CASES_AT_ONCE = 500;
/** On a machine with other things to do it takes ten times as long. */
const TEST_TIMEOUT_MS = 180_000;

const demo = await generateDemoAccounts();
const accounts = readProviderAccounts(JSON.stringify(demo.accountsFile));
const keyOf = <P extends SigningKey['provider']>(provider: P) => demo.signingKeys.find((key) => key.provider === provider) as SigningKey & { provider: P };

const about = { payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', notificationId: 'n1' };
const OUTCOMES: readonly OutcomeToSign[] = [
  { kind: 'succeeded', ...about, paidAt: NOW },
  { kind: 'attempt-failed', ...about, attemptId: 'a1', reason: 'card_declined', failedAt: NOW },
  { kind: 'closed', ...about, closedAt: NOW },
  { kind: 'refunded', ...about, refundId: 'r1', refundAmount: '100', refundedTotal: '100', paidAt: NOW, refundedAt: NOW },
  { kind: 'refund-failed', ...about, refundId: 'r1', refundAmount: '100', reason: 'ABNORMAL', failedAt: NOW },
];
const nowSeconds = Math.floor(NOW.getTime() / 1000);

interface WechatPayEnvelope {
  readonly resource: { readonly ciphertext: string; readonly nonce: string; readonly associated_data: string };
}

/** Envelope and opened content of each kind that WeChat Pay sends. */
const wechatPayNotices = new Map(
  OUTCOMES.filter(({ kind }) => kind !== 'closed' && kind !== 'attempt-failed').map((outcome) => {
    const envelope = JSON.parse(signWechatPay(keyOf('wechatpay'), outcome, NOW).body) as WechatPayEnvelope;
    return [outcome.kind, { envelope, content: decrypt(keyOf('wechatpay').apiV3Key, envelope) }];
  }),
);

type Sender = (outcome: OutcomeToSign, random: Random) => WebhookRequest;

const SENDERS: Readonly<Record<SigningKey['provider'], Sender>> = {
  standard(outcome, random) {
    const body = oddJson(standardPayload(outcome), random);
    return { headers: signStandardMessage(keyOf('standard').secret, { id: 'n1', timestampSeconds: nowSeconds, body }), body: Buffer.from(body) };
  },
  stripe(outcome, random) {
    const body = oddJson(stripeEvent(keyOf('stripe'), outcome), random);
    return { headers: signStripeBody(keyOf('stripe').secret, body, nowSeconds), body: Buffer.from(body) };
  },
  alipay(outcome, random) {
    const fields: Record<string, string> = alipayFields(keyOf('alipay'), outcome, NOW);
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      const name = random.pick(Object.keys(fields));
      const odd = oddValue(random);
      const value = typeof odd === 'string' ? odd : JSON.stringify(odd);
      if (random.chance(0.2)) Reflect.deleteProperty(fields, name);
      else if (random.chance(0.2)) fields[random.pick(['refund_fee', 'gmt_refund', 'gmt_close', 'out_biz_no', 'trade_status'])] = random.pick([value, '0.00', '1.00', '19.99', '2026-11-24 15:30:05.123', '2026-99-24 25:30:05', 'TRADE_CLOSED']);
      else fields[name] = value;
    }
    return { headers: {}, body: Buffer.from(signAlipayForm(keyOf('alipay').privateKey, fields)) };
  },
  wechatpay(outcome, random) {
    const notice = wechatPayNotices.get(outcome.kind);
    if (notice === undefined) throw new OutcomeNotSentError('wechatpay', outcome.kind);
    const { envelope, content } = notice;
    if (random.chance(0.3)) return sendWechatPay(oddJson(envelope, random));
    const sealed = encryptResource(keyOf('wechatpay').apiV3Key, oddJson(content, random), envelope.resource.associated_data);
    return sendWechatPay(JSON.stringify({ ...envelope, resource: { ...envelope.resource, ...sealed } }));
  },
};

function sendWechatPay(body: string): WebhookRequest {
  return { headers: signWechatPayBody(keyOf('wechatpay'), body, nowSeconds, randomBytes(8).toString('hex')), body: Buffer.from(body) };
}

function decrypt(apiV3Key: string, { resource }: WechatPayEnvelope): unknown {
  const sealed = Buffer.from(resource.ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', apiV3Key, resource.nonce, { authTagLength: 16 }).setAAD(Buffer.from(resource.associated_data));
  decipher.setAuthTag(sealed.subarray(-16));
  return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString('utf8'));
}

/** @returns null for an outcome that the provider does not send. */
function tryToSend(provider: SigningKey['provider'], random: Random): WebhookRequest | null {
  try {
    return SENDERS[provider](random.pick(OUTCOMES), random);
  } catch (error) {
    if (error instanceof OutcomeNotSentError) return null;
    throw error;
  }
}

function readingOf(provider: SigningKey['provider'], request: WebhookRequest): Reading | null {
  const verification = accounts.find(provider, 'demo')?.verify(request, NOW);
  if (verification?.outcome === 'verified') return verification.read();
  // A form that hides parameters, or is of another charset, is refused before its signature is looked at.
  expect(provider, JSON.stringify(verification)).toBe('alipay');
  return null;
}

/** Adds to `seen` what came of it. @throws Error with what is wrong. */
function readOne(provider: SigningKey['provider'], request: WebhookRequest, seen: Set<string>): void {
  const before = process.threadCpuUsage();
  const reading = readingOf(provider, request);
  const { user, system } = process.threadCpuUsage(before);
  if ((user + system) / 1000 > CASE_CPU_MS_MAX) throw new Error(`took ${user + system} us`);
  if (reading?.outcome !== 'read') seen.add(reading?.outcome ?? 'refused');
  for (const notification of reading?.outcome === 'read' ? reading.notifications : []) {
    seen.add(notification.kind);
    const wrong = whatIsWrongWith(notification);
    if (wrong !== null) throw new Error(`${wrong} in ${JSON.stringify(notification)}`);
  }
}

describe.each(Object.keys(SENDERS) as SigningKey['provider'][])('what is read from odd but genuine webhooks of %s', (provider) => {
  it('is well-formed, or malformed, or not handled; and reading it costs little', () => {
    const seen = new Set<string>();
    let index = 0;
    let request: WebhookRequest | null = null;
    const readSome = (): void => {
      for (const end = index + CASES_AT_ONCE; index < end; index++) {
        request = tryToSend(provider, createRandom(SEED + index));
        if (request !== null) readOne(provider, request, seen);
      }
    };
    while (index < CASES[provider]) {
      try {
        interruptAfterMs(HANGS_AFTER_MS, readSome);
      } catch (error) {
        const shown = (request as WebhookRequest | null)?.body.toString('utf8').slice(0, 2_000) ?? '';
        throw new Error(`seed ${SEED}, case ${index}: ${(error as Error).message}: ${shown}`, { cause: error });
      }
    }
    expect([...seen], `seed ${SEED}`).toEqual(expect.arrayContaining(['malformed', 'succeeded', 'refunded', 'not-handled']));
  }, TEST_TIMEOUT_MS);
});
