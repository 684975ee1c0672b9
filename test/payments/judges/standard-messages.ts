import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { Random } from '../../harness/random.ts';

/**
 * Valid Standard Webhooks by seed, signed with nothing but node:crypto: rotations, other schemes, blanks, long lists, both
 * kinds of key, secrets as they are pasted, and the payloads that we read.
 */
export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** As an operator has it, and as the library may be given it. */
  readonly secret: string;
  readonly otherSecrets: readonly string[];
  readonly publicKey: string | null;
  /** Which of the receiver's keys has really signed it. */
  readonly signedBy: 'secret' | 'second secret' | 'public key';
  readonly kind: string;
}

const ed25519 = generateKeyPairSync('ed25519');
const ED25519_PUBLIC = Buffer.from(ed25519.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');

const about = { payNo: 'p1', tradeNo: 't1' };
const at = '2026-11-24T15:30:00+08:00';
const sums = { currency: 'CNY', reason: 'fraudulent' };
const PAYLOADS: readonly (readonly [type: string, data: object, kind: string])[] = [
  ['payment.succeeded', { ...about, amount: '1999', currency: 'CNY', paidAt: at }, 'succeeded'],
  ['payment.failed', { ...about, reason: 'card_declined', failedAt: at }, 'attempt-failed'],
  ['payment.closed', { ...about, closedAt: at }, 'closed'],
  ['payment.refunded', { ...about, refundId: 'r1', refundAmount: '100', currency: 'CNY', refundedAt: at }, 'refunded'],
  ['payment.refund_failed', { ...about, ...sums, refundId: 'r1', refundAmount: '100', failedAt: at, initiatedAt: at }, 'refund-failed'],
  ['payment.disputed', { ...about, ...sums, disputeId: 'd1', disputedAmount: '1999', funds: 'withdrawn', dueBy: at, disputedAt: at }, 'disputed'],
  ['payment.dispute_closed', { ...about, disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', outcome: 'won', closedAt: at }, 'dispute-closed'],
  ['customer.created', { name: '张三' }, 'not-handled'],
];
const OTHER_SCHEMES = ['v2,AAAA', 'foo,b-_r', 'v1x,***', 'v9a,a,b', 'Ed25519,MA==', 'v1b,', ',x', 'x'];

export function makeMessage(random: Random, nowSeconds: number): Message {
  const [type, data, kind] = random.pick(PAYLOADS);
  const body = JSON.stringify({ type, timestamp: at, data: { ...data, note: random.pick(['', '课程 😀', 'a.b', ' \n']) } }, null, random.below(3));
  const id = random.pick(['msg_1', 'evt-2.3', `msg_${'x'.repeat(200)}`, '!~']);
  const timestamp = String(nowSeconds + random.below(500) - 250);
  const bytes = [random.bytes(24 + random.below(41)), random.bytes(32)] as const;
  const [secret, second] = bytes.map((key) => paste(key, random)) as [string, string];
  const signedBy = random.pick(['secret', 'secret', 'secret', 'second secret', 'public key'] as const);
  const signed = `${id}.${timestamp}.${body}`;
  const asymmetric = `v1a,${sign(null, Buffer.from(signed), ed25519.privateKey).toString('base64')}`;
  const good = signedBy === 'public key' ? asymmetric : `v1,${hmac(signedBy === 'secret' ? bytes[0] : bytes[1], signed)}`;
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': listOf(good, signed, random) };
  return { headers, body, secret, otherSecrets: [second], publicKey: signedBy === 'public key' ? `whpk_${ED25519_PUBLIC}` : null, signedBy, kind };
}

function hmac(key: Buffer, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64');
}

function paste(key: Buffer, random: Random): string {
  const text = key.toString('base64');
  return `${random.chance(0.7) ? 'whsec_' : ''}${random.chance(0.5) ? text : text.replace(/=+$/, '')}`;
}

/** The good signature somewhere among others: of another secret, of a scheme that nobody knows, of no form at all. */
function listOf(good: string, signed: string, random: Random): string {
  const others = Array.from({ length: random.chance(0.1) ? 100 : random.below(4) }, () => (random.chance(0.5) ? random.pick(OTHER_SCHEMES) : `v1,${hmac(randomBytes(32), signed)}`));
  others.splice(random.below(others.length + 1), 0, good);
  const blank = random.pick([' ', '  ']);
  return `${random.pick(['', ' '])}${others.join(blank)}${random.pick(['', ' ', '  '])}`;
}
