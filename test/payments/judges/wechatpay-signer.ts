import { createCipheriv, createSign, generateKeyPairSync } from 'node:crypto';
import type { Random } from '../../harness/random.ts';

/** WeChat Pay's side, written from its documents on node:crypto alone: nothing of the code under test is used. */
export interface SentNotice {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export interface PlatformSigner {
  readonly id: string;
  readonly serial: string;
  readonly privateKey: string;
  /** PEM. */
  readonly publicKey: string;
}

export interface Envelope {
  readonly id: string;
  readonly eventType: string;
  readonly createTime: string;
}

export interface Sealing {
  readonly key: string;
  /** As it is written into the resource; undefined = left out. */
  readonly associatedData: string | null | undefined;
  readonly originalType?: unknown;
  readonly nonceLength?: number;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function platformSigner(id: string, serial: string): PlatformSigner {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { format: 'pem', type: 'spki' }, privateKeyEncoding: { format: 'pem', type: 'pkcs8' } });
  return { id, serial, ...pair };
}

export function letters(random: Random, length: number): string {
  return Array.from({ length }, () => LETTERS.charAt(random.below(LETTERS.length))).join('');
}

/** AEAD_AES_256_GCM: Base64 of the ciphertext with the tag of 16 bytes behind. */
export function seal(plaintext: string | Buffer, { key, associatedData, originalType, nonceLength = 12 }: Sealing, random: Random): Record<string, unknown> {
  const nonce = letters(random, nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(associatedData ?? ''));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString('base64');
  const optional = { ...(associatedData === undefined ? {} : { associated_data: associatedData }), ...(originalType === undefined ? {} : { original_type: originalType }) };
  return { algorithm: 'AEAD_AES_256_GCM', nonce, ciphertext, ...optional };
}

export function envelopeOf({ id, eventType, createTime }: Envelope, resource: unknown): Record<string, unknown> {
  return { id, create_time: createTime, resource_type: 'encrypt-resource', event_type: eventType, summary: '通知', resource };
}

/** SHA256-RSA over time stamp, nonce and body, each ended by a line feed. */
export function signBody(body: Buffer, { serial, privateKey }: PlatformSigner, timestamp: number | string, nonce: string): SentNotice {
  const signature = createSign('RSA-SHA256').update(`${timestamp}\n${nonce}\n`).update(body).update('\n').sign(privateKey, 'base64');
  return {
    headers: { 'wechatpay-timestamp': String(timestamp), 'wechatpay-nonce': nonce, 'wechatpay-serial': serial, 'wechatpay-signature': signature, 'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048' },
    body,
  };
}
