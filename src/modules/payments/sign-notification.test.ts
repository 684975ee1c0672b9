import { generateKeyPairSync, Verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AlipaySdk } from 'alipay-sdk';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { generateDemoAccounts } from './demo-accounts.ts';
import { readProviderAccounts } from './provider-accounts.ts';
import { OutcomeNotSentError, type OutcomeToSign, type RefundToSign, type SignedWebhook } from './providers/outcome-to-sign.ts';
import type { ProviderAccount } from './providers/provider.ts';
import { signAlipay } from './providers/sign-alipay.ts';
import { signNotification, type SigningKey } from './providers/sign-notification.ts';
import { signStandard, standardPayload } from './providers/sign-standard.ts';

/** Everything that can be signed, read back by our verifiers and by the official libraries, and the other way round. */
const NOW = new Date();
const seconds = (text: string): Date => new Date(`2026-11-24T07:${text}Z`);
const about = { payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', notificationId: 'n1' };
const [paidAt, failedAt, closedAt, refundedAt] = [seconds('30:00.000'), seconds('31:00.000'), seconds('32:00.000'), seconds('33:05.123')] as [Date, Date, Date, Date];
const refund = { ...about, refundId: 'r1', paidAt, refundedAt };
const OUTCOMES: readonly OutcomeToSign[] = [
  { kind: 'succeeded', ...about, paidAt },
  { kind: 'attempt-failed', ...about, attemptId: 'a1', reason: 'card_declined', failedAt },
  { kind: 'closed', ...about, closedAt },
  { kind: 'refunded', ...refund, refundAmount: '100', refundedTotal: '300' },
  { kind: 'refunded', ...refund, refundAmount: '1699', refundedTotal: '1999' },
  { kind: 'refund-failed', ...about, refundId: 'r1', refundAmount: '100', reason: 'ABNORMAL', failedAt },
  { kind: 'disputed', ...about, disputeId: 'd1', disputedAmount: '1999', reason: 'fraudulent', dueBy: closedAt, funds: 'withdrawn', disputedAt: failedAt },
  { kind: 'dispute-closed', ...about, disputeId: 'd1', disputedAmount: '1999', outcome: 'lost', closedAt },
];
const named = OUTCOMES.map((outcome) => [outcome.kind === 'refunded' ? `refunded ${outcome.refundedTotal} of ${outcome.amount}` : outcome.kind, outcome] as const);

const demo = await generateDemoAccounts();
const accounts = readProviderAccounts(JSON.stringify(demo.accountsFile));
const keyOf = <P extends SigningKey['provider']>(provider: P) => demo.signingKeys.find((key) => key.provider === provider) as SigningKey & { provider: P };

function readingOf(webhook: SignedWebhook): unknown {
  const [, , provider = '', account = ''] = webhook.path.split('/');
  const verification = accounts.find(provider, account)?.verify({ headers: webhook.headers, body: Buffer.from(webhook.body) }, NOW);
  return verification?.outcome === 'verified' ? verification.read() : verification;
}

/** What each provider does not send. */
const NOT_SENT: Readonly<Record<SigningKey['provider'], readonly OutcomeToSign['kind'][]>> = {
  standard: [],
  alipay: ['attempt-failed', 'refund-failed', 'disputed', 'dispute-closed'],
  wechatpay: ['attempt-failed', 'closed', 'disputed', 'dispute-closed'],
  stripe: [],
};

/** Of a refund each provider tells this one, or all so far, or both; Stripe and WeChat Pay count time in seconds. */
const REFUND_TOLD: Readonly<Record<SigningKey['provider'], (outcome: RefundToSign) => object>> = {
  standard: ({ refundAmount, refundedTotal }) => ({ refundAmount, refundedTotal, paymentAmount: '1999', refundedAt: refundedAt.toISOString() }),
  alipay: ({ refundedTotal }) => ({ refundAmount: null, refundedTotal, paymentAmount: '1999', refundedAt: refundedAt.toISOString() }),
  wechatpay: ({ refundAmount }) => ({ refundAmount, refundedTotal: null, paymentAmount: '1999', refundedAt: '2026-11-24T07:33:05.000Z' }),
  stripe: ({ refundAmount }) => ({ refundAmount, refundedTotal: null, paymentAmount: null, payNo: null, refundedAt: '2026-11-24T07:33:05.000Z' }),
};

/** The last notification that a webhook tells of: a refund of Alipay tells of the payment first. */
function expectedOf(provider: SigningKey['provider'], outcome: OutcomeToSign): object {
  const { kind, tradeNo } = outcome;
  const fact = { kind, provider, account: 'demo', payNo: 'p1', providerTradeNo: tradeNo, notificationId: 'n1' };
  switch (outcome.kind) {
    case 'succeeded':
      return { ...fact, amount: '1999', currency: 'CNY', paidAt: paidAt.toISOString() };
    case 'attempt-failed':
      return { ...fact, attemptId: 'a1', reason: 'card_declined', failedAt: failedAt.toISOString() };
    case 'closed':
      return { ...fact, closedAt: closedAt.toISOString() };
    case 'refunded':
      return { ...fact, refundId: 'r1', currency: 'CNY', ...REFUND_TOLD[provider](outcome) };
    case 'refund-failed':
      return { ...fact, ...(provider === 'stripe' ? { payNo: null } : {}), refundId: 'r1', refundAmount: '100', currency: 'CNY', reason: 'ABNORMAL', failedAt: failedAt.toISOString() };
    case 'disputed':
    case 'dispute-closed':
      return { ...fact, ...(provider === 'stripe' ? { payNo: null } : {}), disputeId: outcome.disputeId, disputedAmount: outcome.disputedAmount };
  }
}

describe.each(demo.signingKeys)('a notification that is signed like $provider', (key) => {
  it.each(named)('says what was to be said: %s', (_name, outcome) => {
    if (NOT_SENT[key.provider].includes(outcome.kind)) {
      expect(() => signNotification(key, outcome, NOW)).toThrow(OutcomeNotSentError);
      return;
    }
    const reading = readingOf(signNotification(key, outcome, NOW)) as { notifications: readonly { claims: object }[] };
    expect(reading).toMatchObject({ outcome: 'read' });
    const told = reading.notifications.at(-1);
    expect(told).toMatchObject(expectedOf(key.provider, outcome));
    // What it claims about the account is what the account's settings expect, as far as they expect something of it.
    const { expects } = accounts.find(key.provider, 'demo') as ProviderAccount;
    const claims = told?.claims ?? { claims: 'missing' };
    expect(expects).toMatchObject(Object.fromEntries(Object.entries(claims).filter(([name, claim]) => claim !== '' || name in expects)));
    const isRefundOfAlipay = key.provider === 'alipay' && outcome.kind === 'refunded';
    expect(reading.notifications).toHaveLength(isRefundOfAlipay ? 2 : 1);
    if (isRefundOfAlipay) expect(reading.notifications[0]).toMatchObject(expectedOf('alipay', OUTCOMES[0] as OutcomeToSign));
  });
});

describe('the reference library of Standard Webhooks', () => {
  const key = keyOf('standard');
  const reference = new Webhook(key.secret);

  it.each(named)('believes ours, and ours believes it: %s', (_name, outcome) => {
    const webhook = signStandard(key, outcome, NOW);
    expect(reference.verify(webhook.body, webhook.headers)).toEqual(JSON.parse(JSON.stringify(standardPayload(outcome))));
    const theirs = { 'webhook-id': 'n1', 'webhook-timestamp': String(Math.floor(NOW.getTime() / 1000)), 'webhook-signature': reference.sign('n1', NOW, webhook.body) };
    expect(readingOf({ ...webhook, headers: theirs })).toEqual(readingOf(webhook));
  });
});

describe('the official library of Alipay', () => {
  const key = keyOf('alipay');
  const publicKey = (demo.accountsFile.accounts as readonly { provider: string; keys: readonly { publicKey: string }[] }[]).find(({ provider }) => provider === 'alipay')?.keys[0]?.publicKey;
  const sdk = new AlipaySdk({ appId: key.appId, privateKey: key.privateKey, keyType: 'PKCS8', alipayPublicKey: publicKey ?? '' });
  const sent = named.filter(([, { kind }]) => !NOT_SENT.alipay.includes(kind));
  const params = (body: string): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

  it.each(sent)('believes ours: %s', (_name, outcome) => {
    const fields = params(signAlipay(key, outcome, NOW).body);
    expect(sdk.checkNotifySignV2(fields)).toBe(true);
    expect(sdk.checkNotifySignV2({ ...fields, total_amount: '0.01' })).toBe(false);
  });

  /**
   * The library has no function that signs a notice: that is Alipay's own part. So the text is taken from what its check
   * of a notice hands to the verification, and signed with the library's RSA2 function; both are only its own work.
   */
  const { signatureV3 } = createRequire(import.meta.url)(join(dirname(createRequire(import.meta.url).resolve('alipay-sdk')), 'util.js')) as {
    signatureV3(text: string, privateKey: string): string;
  };

  it.each(sent)('builds and signs a text that ours believes: %s', (_name, outcome) => {
    const webhook = signAlipay(key, outcome, NOW);
    const { sign: _dropped, ...fields } = params(webhook.body);
    const update = vi.spyOn(Verify.prototype, 'update');
    expect(sdk.checkNotifySignV2({ ...fields, sign: 'AAAA' })).toBe(false);
    const [withType, text] = update.mock.calls.map(([given]) => given);
    update.mockRestore();
    expect(withType).toContain('&sign_type=RSA2&');
    const theirs = { ...fields, sign: signatureV3(text ?? '', key.privateKey) };
    expect(readingOf({ ...webhook, body: new URLSearchParams(theirs).toString() })).toEqual(readingOf(webhook));
    // Its other text, which keeps sign_type, is that of messages which are not about payments.
    const otherKind = { ...fields, sign: signatureV3(withType ?? '', key.privateKey) };
    expect(sdk.checkNotifySignV2(otherKind)).toBe(true);
    expect(readingOf({ ...webhook, body: new URLSearchParams(otherKind).toString() })).toMatchObject({ notifications: [{ kind: 'not-handled', providerType: 'trade_status_sync' }] });
  });

  it('signs requests over sign_type too, so a signed request of a merchant is no notice of a trade, even with one key for both', () => {
    const { sign: _dropped, ...fields } = params(signAlipay(key, OUTCOMES[0] as OutcomeToSign, NOW).body);
    const request = sdk.sdkExecute('alipay.trade.query', fields);
    expect(readingOf({ path: '/webhooks/alipay/demo', headers: {}, body: request })).toMatchObject({ notifications: [{ kind: 'not-handled' }] });
  });
});

describe('a key that is not the account’s', () => {
  it('makes nothing that is believed', () => {
    const foreign = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { format: 'pem', type: 'spki' }, privateKeyEncoding: { format: 'pem', type: 'pkcs8' } });
    const webhook = signAlipay({ ...keyOf('alipay'), privateKey: foreign.privateKey }, OUTCOMES[0] as OutcomeToSign, NOW);
    expect(readingOf(webhook)).toEqual({ outcome: 'refused', reason: 'signature-mismatch' });
  });
});
