import { readProviderAccounts } from '../../../src/modules/payments/provider-accounts.ts';
import type { ProviderAccount } from '../../../src/modules/payments/providers/provider.ts';
import { createRandom, type Random } from '../../harness/random.ts';
import { oddJson } from './wechatpay-json.ts';
import { CREATED_AT, DIRECT, NOTICES, SERVICE_PROVIDER, type Mode, type Notice, type NoticeKind } from './wechatpay-notices.ts';
import { envelopeOf, letters, platformSigner, seal, signBody, type Envelope, type PlatformSigner, type Sealing, type SentNotice } from './wechatpay-signer.ts';

export const NOW = new Date('2026-11-24T09:00:10Z');
export const NOW_SECONDS = Math.floor(NOW.getTime() / 1000);

/** Both ways in which WeChat Pay names a key, and two of the newer one, as while it changes. */
export const SIGNERS = [
  platformSigner('public-key', 'PUB_KEY_ID_0116000000012026112400000000000001'),
  platformSigner('certificate', '7132D72A03E93CDDF8C03BBD1F37EEDF4D3A2B61'),
  platformSigner('next', 'PUB_KEY_ID_0116000000012027112400000000000002'),
] as const;
export const API_V3_KEYS = [{ id: 'old', key: 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ', notAfter: '2027-01-01T00:00:00Z' }, { id: 'new', key: 'pW9bJ5vQx3KmTn7LdRz2YhGf8CsEu4Ak' }] as const;

function accountOf(merchant: object): ProviderAccount {
  const keys = SIGNERS.map(({ id, serial, publicKey }) => ({ id, serial, publicKey }));
  const accounts = readProviderAccounts(JSON.stringify({ accounts: [{ provider: 'wechatpay', account: 'judged', ...merchant, keys, apiV3Keys: API_V3_KEYS }] }));
  return accounts.find('wechatpay', 'judged') as ProviderAccount;
}
export const ACCOUNTS: Readonly<Record<Mode, ProviderAccount>> = { direct: accountOf(DIRECT), 'service-provider': accountOf(SERVICE_PROVIDER) };

/** One notice as it arrives, and what it was made of. */
export interface Case extends SentNotice {
  readonly kind: NoticeKind;
  readonly notice: Notice;
  readonly signer: PlatformSigner;
  readonly apiV3Key: (typeof API_V3_KEYS)[number];
  readonly plaintext: string;
}

interface Wanted {
  /** Bytes of the body, or more where the notice needs them. */
  readonly size?: number;
  readonly kind?: NoticeKind;
}

export function makeCase(seed: number, { size = 0, kind: wanted }: Wanted = {}): Case {
  const random = createRandom(seed);
  const kind = wanted ?? random.pick(Object.keys(NOTICES) as NoticeKind[]);
  const notice = NOTICES[kind](random);
  const [signer, apiV3Key] = [random.pick(SIGNERS), random.pick(API_V3_KEYS)];
  const write = (value: unknown): string => (random.chance(0.5) ? oddJson(value, random) : JSON.stringify(value));
  const plaintext = write(notice.resource);
  const sealing: Sealing = { key: apiV3Key.key, associatedData: random.pick([undefined, '', 'transaction', 'refund', '中']), originalType: notice.originalType };
  const envelope: Envelope = { id: `EV-${letters(random, 20)}`, eventType: notice.eventType, createTime: CREATED_AT };
  const body = padded(write(envelopeOf(envelope, seal(plaintext, sealing, random))), size);
  return { kind, notice, signer, apiV3Key, plaintext, ...signBody(body, signer, NOW_SECONDS - random.below(300), letters(random, 32)) };
}

/** Blanks behind the document are part of it. */
function padded(json: string, size: number): Buffer {
  const body = Buffer.from(json);
  return body.length >= size ? body : Buffer.concat([body, Buffer.alloc(size - body.length, ' ')]);
}

export function withHeader(it: SentNotice, name: string, change: (value: string) => string): SentNotice {
  return { ...it, headers: { ...it.headers, [name]: change(it.headers[name] ?? '') } };
}

/** The same notice, signed by the same key at another time. */
export function signedAt(it: Case, timestamp: number | string): SentNotice {
  return signBody(it.body, it.signer, timestamp, it.headers['wechatpay-nonce'] ?? '');
}

/** The same notice with another resource, signed by the same key. */
export function resigned(it: Case, change: (resource: Record<string, unknown>) => Record<string, unknown>): SentNotice {
  const envelope = JSON.parse(it.body.toString());
  const body = Buffer.from(JSON.stringify({ ...envelope, resource: change(envelope.resource) }));
  return signBody(body, it.signer, NOW_SECONDS, it.headers['wechatpay-nonce'] ?? '');
}

/** The same notice, encrypted in another way. */
export function resealed(it: Case, random: Random, change: Partial<Sealing>, plaintext: string | Buffer = it.plaintext): SentNotice {
  return resigned(it, () => seal(plaintext, { key: it.apiV3Key.key, associatedData: 'transaction', originalType: 'transaction', ...change }, random));
}
