import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { OutcomeNotSentError, signNotification, type OutcomeToSign, type SignedWebhook, type SigningKey } from '../../../src/modules/payments/index.ts';
import { signedText } from '../../../src/modules/payments/providers/sign-alipay.ts';
import type { ProviderAccount, WebhookRequest } from '../../../src/modules/payments/providers/provider.ts';
import { readProviderAccounts } from '../../../src/modules/payments/provider-accounts.ts';
import { FORM_MUTATIONS } from './form-mutations.ts';
import { JSON_MUTATIONS } from './json-mutations.ts';
import { BODY_MUTATIONS, HEADER_MUTATIONS, type Mutation } from './mutations.ts';
import { headerOf, withHeader, type SentRequest } from './sent-request.ts';

/** One verifier under attack: an account, what was really signed for it, and what must never be believed. */
export interface Target {
  readonly provider: SigningKey['provider'];
  readonly account: ProviderAccount;
  /** Signed with either of the account's active keys. */
  readonly genuine: readonly SentRequest[];
  /** What a change of the forged ones may come to that is signed as well: sent under the name of another key, and then under its own. */
  readonly alsoSigned?: readonly SentRequest[];
  /** Whole and well-formed, but signed with a key or in a way that the account does not believe. */
  readonly forged: readonly SentRequest[];
  /** One is picked for each change: those of the body, of the headers where they are signed, of the format. */
  readonly mutations: readonly (readonly Mutation[])[];
  /**
   * Whether `received` says byte for byte what was signed in `signed`. Not signed, and therefore free: spelling and order
   * of header names, headers that the provider does not define, further signatures of other keys; for Alipay, which
   * signs decoded parameters, their order and the escapes they are written with.
   */
  isAsSigned(received: WebhookRequest, signed: SentRequest): boolean;
  /** When `received` says it was signed, and how far that may be from now; null for Alipay, which does not sign that. */
  readonly freshness: { of(received: WebhookRequest): number; readonly secondsMax: number } | null;
}

export const NOW = new Date('2026-11-24T08:00:00Z');
const EXPIRED = '2026-11-23T00:00:00Z';

const about = (n: number) => ({ payNo: `p${n}`, tradeNo: `t${n}`, amount: '1999', currency: 'CNY', notificationId: `n${n}` });
const earlier = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);
const OUTCOMES: readonly OutcomeToSign[] = [
  { kind: 'succeeded', ...about(1), paidAt: earlier(60) },
  { kind: 'succeeded', ...about(2), amount: '1', paidAt: earlier(60) },
  { kind: 'refunded', ...about(3), refundId: 'r1', refundAmount: '100', refundedTotal: '100', paidAt: earlier(60), refundedAt: earlier(5) },
  { kind: 'closed', ...about(4), closedAt: earlier(5) },
  { kind: 'attempt-failed', ...about(5), attemptId: 'a1', reason: 'card_declined', failedAt: earlier(5) },
];

function rsa(): { publicKey: string; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { format: 'der', type: 'spki' }, privateKeyEncoding: { format: 'pem', type: 'pkcs8' } });
  return { publicKey: publicKey.toString('base64'), privateKey };
}

const asSent = ({ headers, body }: SignedWebhook): SentRequest => ({ headers: [...Object.entries(headers), ['host', 'shop.example']], body: Buffer.from(body) });

/** Every outcome that the provider sends, signed with each of the keys, not all at the same second. */
function sendAll(keys: readonly SigningKey[]): SentRequest[] {
  return keys.flatMap((key, keyIndex) =>
    OUTCOMES.flatMap((outcome, index) => {
      try {
        return [asSent(signNotification(key, outcome, earlier(keyIndex + index)))];
      } catch (error) {
        if (error instanceof OutcomeNotSentError) return [];
        throw error;
      }
    }),
  );
}

function accountOf(entry: Readonly<Record<string, unknown>> & { readonly provider: string }): ProviderAccount {
  const account = readProviderAccounts(JSON.stringify({ accounts: [{ account: 'fuzzed', ...entry }] })).find(entry.provider, 'fuzzed');
  if (account === null) throw new Error(`there is no account of ${entry.provider}`);
  return account;
}

function standardTarget(): Target {
  const [first, second, expired, foreign] = Array.from({ length: 4 }, () => `whsec_${randomBytes(32).toString('base64')}`) as [string, string, string, string];
  const key = (secret: string): SigningKey => ({ provider: 'standard', account: 'fuzzed', secret });
  const genuine = sendAll([key(first), key(second)]);
  const resign = (change: (signed: string) => string): SentRequest[] =>
    genuine.map((request) => {
      const signed = `${headerOf(request, 'webhook-id')}.${headerOf(request, 'webhook-timestamp')}.${request.body.toString()}`;
      return withHeader(request, 'webhook-signature', () => change(signed));
    });
  return {
    provider: 'standard',
    account: accountOf({ provider: 'standard', keys: [{ id: 'a', secret: first }, { id: 'b', secret: second }, { id: 'c', secret: expired, notAfter: EXPIRED }] }),
    genuine,
    forged: [
      ...sendAll([key(expired), key(foreign)]),
      // The secret as text instead of its bytes, no secret, a hash without a key.
      ...resign((signed) => `v1,${createHmac('sha256', first).update(signed).digest('base64')}`),
      ...resign((signed) => `v1,${createHmac('sha256', '').update(signed).digest('base64')}`),
      ...resign((signed) => `v1a,${createHmac('sha256', Buffer.from(first.slice(6), 'base64')).update(signed).digest('base64')}`),
      ...resign((signed) => `v1,${createHmac('sha1', Buffer.from(first.slice(6), 'base64')).update(signed).digest('base64')}`),
    ],
    mutations: [BODY_MUTATIONS, HEADER_MUTATIONS, JSON_MUTATIONS],
    isAsSigned: ({ headers, body }, signed) =>
      headers['webhook-id'] === headerOf(signed, 'webhook-id') &&
      headers['webhook-timestamp'] === headerOf(signed, 'webhook-timestamp') &&
      String(headers['webhook-signature']).split(' ').includes(headerOf(signed, 'webhook-signature')) &&
      body.equals(signed.body),
    freshness: { of: ({ headers }) => Number(headers['webhook-timestamp']), secondsMax: 300 },
  };
}

function stripeTarget(): Target {
  const [first, second, expired, foreign] = Array.from({ length: 4 }, () => `whsec_${randomBytes(32).toString('hex')}`) as [string, string, string, string];
  const key = (secret: string): SigningKey => ({ provider: 'stripe', account: 'fuzzed', secret, livemode: true });
  const genuine = sendAll([key(first), key(second)]);
  const timeIn = (header: string): string => /^t=(\d+),/.exec(header)?.[1] ?? '';
  const resign = (change: (signed: string) => string): SentRequest[] =>
    genuine.map((request) => withHeader(request, 'stripe-signature', (header) => `t=${timeIn(header)},${change(`${timeIn(header)}.${request.body.toString()}`)}`));
  const entries = (received: WebhookRequest): string[] => String(received.headers['stripe-signature']).split(',');
  const times = (received: WebhookRequest): string[] => entries(received).filter((entry) => entry.startsWith('t='));
  return {
    provider: 'stripe',
    account: accountOf({ provider: 'stripe', livemode: true, keys: [{ id: 'a', secret: first }, { id: 'b', secret: second }, { id: 'c', secret: expired, notAfter: EXPIRED }] }),
    genuine,
    forged: [
      ...sendAll([key(expired), key(foreign)]),
      // The secret decoded, no secret, and the scheme of test mode, which nobody may rely on.
      ...resign((signed) => `v1=${createHmac('sha256', Buffer.from(first.slice(6), 'hex')).update(signed).digest('hex')}`),
      ...resign((signed) => `v1=${createHmac('sha256', '').update(signed).digest('hex')}`),
      ...resign((signed) => `v0=${createHmac('sha256', first).update(signed).digest('hex')}`),
    ],
    mutations: [BODY_MUTATIONS, HEADER_MUTATIONS, JSON_MUTATIONS],
    isAsSigned(received, signed) {
      const [time, signature = ''] = headerOf(signed, 'stripe-signature').split(',');
      // Hex may be written in either case: it is the signature's bytes that count.
      const signatures = entries(received).map((entry) => entry.replace(/^v1=[0-9A-F]+$/, (upper) => `v1=${upper.slice(3).toLowerCase()}`));
      return times(received).length === 1 && times(received)[0] === time && signatures.includes(signature) && received.body.equals(signed.body);
    },
    freshness: { of: (received) => Number(times(received)[0]?.slice(2)), secondsMax: 300 },
  };
}

const HIDING = 'x&total_amount=0.01&tp=1';

function alipayTarget(): Target {
  const merchant = { appId: '2021000000000001', sellerId: '2088000000000001' };
  const [first, second, expired, foreign] = Array.from({ length: 4 }, rsa) as [ReturnType<typeof rsa>, ReturnType<typeof rsa>, ReturnType<typeof rsa>, ReturnType<typeof rsa>];
  const key = ({ privateKey }: { privateKey: string }): SigningKey => ({ provider: 'alipay', account: 'fuzzed', ...merchant, privateKey });
  const genuine = sendAll([key(first), key(second)]);
  const resign = (change: (fields: Map<string, string>) => unknown): SentRequest[] =>
    genuine.map((request) => {
      const fields = new Map(new URLSearchParams(request.body.toString()));
      change(fields);
      return { ...request, body: Buffer.from(new URLSearchParams([...fields]).toString()) };
    });
  const signWith = (algorithm: string, fields: Map<string, string>): string => sign(algorithm, Buffer.from(signedText(fields)), first.privateKey).toString('base64');
  // An empty parameter is none: some of the provider's libraries sign it, and some leave it out. A signature is its bytes, with or without padding.
  const entries = (body: Buffer): string[] => [...new URLSearchParams(body.toString('latin1'))].filter(([, value]) => value !== '').map(([name, value]) => `${name}=${name === 'sign' ? Buffer.from(value, 'base64').toString('hex') : value}`).sort();
  return {
    provider: 'alipay',
    account: accountOf({
      provider: 'alipay', ...merchant,
      keys: [{ id: 'a', publicKey: first.publicKey }, { id: 'b', publicKey: second.publicKey }, { id: 'c', publicKey: expired.publicKey, notAfter: EXPIRED }],
    }),
    genuine,
    forged: [
      ...sendAll([key(expired), key(foreign)]),
      ...resign((fields) => fields.set('sign', signWith('RSA-SHA1', fields)).set('sign_type', 'RSA')),
      ...resign((fields) => fields.set('sign', signWith('RSA-SHA1', fields))),
      ...resign((fields) => fields.set('sign', signWith('RSA-SHA512', fields))),
      // A value that hides parameters, and the same signed text cut into other ones.
      ...resign((fields) => fields.set('subject', HIDING).set('sign', signWith('RSA-SHA256', fields))),
      ...resign((fields) => {
        const sign = signWith('RSA-SHA256', fields.set('subject', HIDING));
        fields.set('subject', 'x').set('tp', `1&total_amount=${fields.get('total_amount')}`).set('total_amount', '0.01').set('sign', sign);
      }),
      // Keyed with what everybody knows.
      ...resign((fields) => fields.set('sign', createHmac('sha256', Buffer.from(first.publicKey, 'base64')).update(signedText(fields)).digest('base64'))),
    ],
    mutations: [BODY_MUTATIONS, FORM_MUTATIONS, FORM_MUTATIONS],
    isAsSigned: ({ body }, signed) => JSON.stringify(entries(body)) === JSON.stringify(entries(signed.body)),
    freshness: null,
  };
}

function wechatpayTarget(): Target {
  const merchant = { appId: 'wx0000000000000001', mchid: '1900000001' };
  const [first, second, expired, foreign] = Array.from({ length: 4 }, rsa) as [ReturnType<typeof rsa>, ReturnType<typeof rsa>, ReturnType<typeof rsa>, ReturnType<typeof rsa>];
  const apiV3Key = randomBytes(16).toString('hex');
  const serials = ['PUB_KEY_ID_01', 'PUB_KEY_ID_02', 'PUB_KEY_ID_03'] as const;
  const key = ({ privateKey }: { privateKey: string }, serial: string): SigningKey => ({ provider: 'wechatpay', account: 'fuzzed', ...merchant, serial, privateKey, apiV3Key });
  const genuine = sendAll([key(first, serials[0]), key(second, serials[1])]);
  const names = ['wechatpay-timestamp', 'wechatpay-nonce', 'wechatpay-serial', 'wechatpay-signature'];
  // Base64 may be written in several ways (padding, the bits that are left over): it is the signature's bytes that count.
  const bytesOf = (name: string, value: unknown): unknown => (name === 'wechatpay-signature' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('hex') : value);
  const resign = (algorithm: string): SentRequest[] =>
    genuine.map((request) => {
      const signed = `${headerOf(request, 'wechatpay-timestamp')}\n${headerOf(request, 'wechatpay-nonce')}\n${request.body.toString()}\n`;
      return withHeader(request, 'wechatpay-signature', () => sign(algorithm, Buffer.from(signed), first.privateKey).toString('base64'));
    });
  const misnamed = sendAll([key(first, serials[1])]);
  return {
    provider: 'wechatpay',
    account: accountOf({
      provider: 'wechatpay', ...merchant,
      keys: [first, second, expired].map(({ publicKey }, index) => ({ id: `k${index}`, serial: serials[index], publicKey, ...(index === 2 ? { notAfter: EXPIRED } : {}) })),
      apiV3Keys: [{ id: 'v3', key: apiV3Key }],
    }),
    genuine,
    alsoSigned: misnamed.map((request) => withHeader(request, 'wechatpay-serial', () => serials[0])),
    forged: [
      ...misnamed,
      ...sendAll([key(expired, serials[2]), key(foreign, serials[0]), key(foreign, 'PUB_KEY_ID_09')]),
      ...resign('RSA-SHA1'),
      ...resign('RSA-SHA512'),
      ...genuine.map((request) => withHeader(request, 'wechatpay-signature', (signature) => `WECHATPAY/SIGNTEST/${signature}`)),
    ],
    mutations: [BODY_MUTATIONS, HEADER_MUTATIONS, JSON_MUTATIONS],
    isAsSigned: ({ headers, body }, signed) => names.every((name) => bytesOf(name, headers[name]) === bytesOf(name, headerOf(signed, name))) && body.equals(signed.body),
    freshness: { of: ({ headers }) => Number(headers['wechatpay-timestamp']), secondsMax: 299 },
  };
}

export const TARGETS: readonly Target[] = [standardTarget(), alipayTarget(), wechatpayTarget(), stripeTarget()];
