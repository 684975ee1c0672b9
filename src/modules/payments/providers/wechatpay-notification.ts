import type { KeyObject } from 'node:crypto';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { NotificationSource } from '../../../contracts/payment-notifications.ts';
import { parseJsonBody } from './json-body.ts';
import type { Reading } from './provider.ts';
import type { VerificationKey } from './verification-keys.ts';
import { Id, malformed, malformedBy, notHandled, wordOfOriginalType, wordOfType } from './wechatpay-content.ts';
import { readRefund, refundStatusIn } from './wechatpay-refund.ts';
import { decryptResource } from './wechatpay-resource.ts';
import { readTransaction } from './wechatpay-transaction.ts';

/**
 * The content of a verified WeChat Pay notification: an envelope with an encrypted resource.
 *
 * | event_type          | original_type              | tells of                                                |
 * | TRANSACTION.SUCCESS | transaction, or none       | success, of each sub-order where it is a combined order |
 * | REFUND.SUCCESS      | refund, or none            | refund: this one alone, with its own id                 |
 * | REFUND.ABNORMAL     | refund, or none            | failed refund: the buyer's account cannot take it       |
 * | REFUND.CLOSED       | refund, or none            | failed refund: given up                                 |
 * | REFUND.PROCESSING   | refund, or none            | nothing                                                 |
 * | any of these        | another, as profitsharing  | nothing: it is not even opened                          |
 * | anything else       | any                        | nothing: it is not even opened                          |
 *
 * A failed attempt or a closed payment is never notified. A field that is malformed is named as if the decrypted resource
 * stood in the place of the encrypted one.
 */
export interface OpenedNotification {
  /** Which APIv3 key decrypted it; null when nothing was decrypted. */
  readonly apiV3KeyId: string | null;
  readonly reading: Reading;
}

const TRANSACTION_TYPE = 'TRANSACTION.SUCCESS';
const ORIGINAL_TYPES: readonly unknown[] = ['transaction', 'refund', '', null, undefined];

const Envelope = Type.Object({ id: Id, event_type: Type.String({ minLength: 1 }), create_time: Type.Optional(Type.Unknown()), resource: Type.Optional(Type.Unknown()) });
const Sealed = Type.Object({
  resource: Type.Object({
    algorithm: Type.String(),
    nonce: Type.String(),
    associated_data: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    ciphertext: Type.String(),
  }),
});
const envelopeCheck = Compile(Envelope);
const sealedCheck = Compile(Sealed);

/** @param keys the APIv3 keys that are active. */
export function openNotification(origin: Pick<NotificationSource, 'provider' | 'account'>, body: Buffer, keys: readonly VerificationKey<KeyObject>[]): OpenedNotification {
  const value = parseJsonBody(body);
  if (!envelopeCheck.Check(value)) return unopened(malformedBy(envelopeCheck, value, ''));
  const { event_type: eventType, create_time: createTime } = value;
  const source = { ...origin, notificationId: value.id, providerType: wordOfType(eventType) };
  if (eventType !== TRANSACTION_TYPE && refundStatusIn(eventType) === null) return unopened({ outcome: 'read', notifications: [notHandled(source, null)] });
  const originalType = originalTypeOf(value.resource);
  if (!ORIGINAL_TYPES.includes(originalType)) return unopened({ outcome: 'read', notifications: [notHandled(source, null, wordOfOriginalType(originalType))] });
  if (!sealedCheck.Check(value)) return unopened(malformedBy(sealedCheck, value, ''));
  const decryption = decryptResource(value.resource, keys);
  if (decryption.outcome === 'malformed') return unopened(malformed(`/resource/${decryption.field}`));
  return { apiV3KeyId: decryption.keyId, reading: readResource(parseJsonBody(decryption.plaintext), source, eventType, createTime) };
}

function originalTypeOf(resource: unknown): unknown {
  return typeof resource === 'object' && resource !== null && 'original_type' in resource ? resource.original_type : undefined;
}

function readResource(resource: unknown, source: NotificationSource, eventType: string, createTime: unknown): Reading {
  if (typeof resource !== 'object' || resource === null || Array.isArray(resource)) return malformed('/resource');
  const status = refundStatusIn(eventType);
  if (status === null) return readTransaction(resource, source);
  const told = readRefund(status, resource, source, createTime);
  return 'kind' in told ? { outcome: 'read', notifications: [told] } : told;
}

function unopened(reading: Reading): OpenedNotification {
  return { apiV3KeyId: null, reading };
}
