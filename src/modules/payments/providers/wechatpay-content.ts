import { Type, type Static, type TObject } from 'typebox';
import { AMOUNT_MAX } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, type Claims, type NotificationSource, type UnhandledNotification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { utcTime } from './utc-time.ts';

/** What the decrypted resources of WeChat Pay's notifications have in common. */

export const Id = Type.String({ pattern: PROVIDER_ID_PATTERN });
/** Null and an empty text say no more about an optional member than leaving it out. */
const Nothing = Type.Union([Type.Literal(''), Type.Null()]);
export const OptionalId = Type.Optional(Type.Union([Id, Nothing]));
/** A number of any system at this merchant: WeChat Pay allows `_-|*@` beside letters and digits. */
export const OrderNo = Type.String({ minLength: 1 });
/** Minor units, in the exponent of ISO 4217 as ours. */
export const Amount = Type.Integer({ minimum: 0, maximum: Number(AMOUNT_MAX) });
export const OptionalCurrency = Type.Optional(Type.Union([Type.String({ pattern: '^[A-Z]{3}$' }), Nothing]));

/** Who is paid: `mchid` where the merchant has a contract of its own, `sp_mchid` and `sub_mchid` below a service provider. */
export const Merchant = { mchid: OptionalId, sp_mchid: OptionalId, sub_mchid: OptionalId };

export type Malformed = Extract<Reading, { readonly outcome: 'malformed' }>;

const PAY_NO = new RegExp(PAY_NO_PATTERN);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** What a notification of a domestic payment means that names none. */
const CURRENCY_DEFAULT = 'CNY';
/** What stands in logs and labels of metrics in the place of a type that no such word is. */
const OTHER_TYPE = 'OTHER_TYPE';
const TYPE = /^[A-Za-z0-9._-]{1,64}$/;
const ORIGINAL_TYPE = /^[A-Za-z._-]{1,64}$/;

/** Both modes are always claimed, so that an account of the one never takes a notification of the other. */
export function merchantClaims({ mchid, sp_mchid: spMchid, sub_mchid: subMchid }: Static<TObject<typeof Merchant>>): Claims {
  return { mchid: mchid ?? '', spMchid: spMchid ?? '', subMchid: subMchid ?? '' };
}

export function currencyOf({ currency }: { readonly currency?: string | null }): string {
  return currency || CURRENCY_DEFAULT;
}

/** @returns ISO 8601 in UTC, or null for what is no time. */
export function toUtc(value: unknown): string | null {
  return typeof value === 'string' && TIME.test(value) ? utcTime(value) : null;
}

export function wordOfType(eventType: string): string {
  return TYPE.test(eventType) ? eventType : OTHER_TYPE;
}

/** Written as a state, so that it can stand in the place of one. */
export function wordOfOriginalType(originalType: unknown): string {
  return typeof originalType === 'string' && ORIGINAL_TYPE.test(originalType) ? originalType.toUpperCase().replace(/[.-]/g, '_') : OTHER_TYPE;
}

/** @returns whether we can have issued this order number; any other is of another system at the same merchant. */
export function isOurs(orderNo: string): boolean {
  return PAY_NO.test(orderNo);
}

/** @param because in the form of a state: capital letters. */
export function notHandled(source: NotificationSource, payNo: string | null, because?: string): UnhandledNotification {
  return { kind: 'not-handled', ...source, providerType: because === undefined ? source.providerType : `${source.providerType} with ${because}`, payNo };
}

/** To be acknowledged: asking again for what is not ours would go on for a day. */
export function ofAnotherSystem(source: NotificationSource): UnhandledNotification {
  return notHandled(source, null, 'FOREIGN_ORDER');
}

export function malformed(field: string): Malformed {
  return { outcome: 'malformed', field };
}

interface Check {
  Errors(value: unknown): readonly { readonly instancePath: string }[];
}

/** @param at where `value` stands. The pointer is that of the object when something is missing in it. */
export function malformedBy(check: Check, value: unknown, at: string): Malformed {
  return malformed(`${at}${check.Errors(value)[0]?.instancePath ?? ''}`);
}
