import { Type, type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { PROVIDER_ID_PATTERN, type Claims, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { fromStripeAmount } from './stripe-amount.ts';

/*
 * What the readers of Stripe's objects share. An object is read by a schema of what we need of it, so that everything else
 * in it may change from one API version to the next.
 */

/** 9999-12-31T23:59:59Z: later times have no ISO form with four digits. */
const SECONDS_MAX = 253_402_300_799;

export const Id = Type.String({ pattern: PROVIDER_ID_PATTERN });
export const Seconds = Type.Integer({ minimum: 0, maximum: SECONDS_MAX });
export const Currency = Type.String({ pattern: '^[a-z]{3}$' });
export const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** A payment, a refund or a dispute of nothing would be none. */
export const PositiveAmount = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
export const orNull = <S extends TSchema>(schema: S) => Type.Optional(Type.Union([schema, Type.Null()]));
/** A status that the event's type implies: an object that contradicts its event proves neither. Left out by old API versions. */
export const implied = (status: string) => orNull(Type.Literal(status));

/** What an event says of itself; `payNo` as its object names it, if it does. */
export interface Context extends NotificationSource {
  readonly payNo: string | null;
  readonly claims: Claims;
  /** When the event happened. */
  readonly at: string;
}
export type OurContext = Context & { readonly payNo: string };
export type Reader<C> = (object: object, context: C) => Reading;

export function reader<S extends TSchema, C extends Context>(schema: S, read: (checked: Static<S>, context: C, object: object) => Reading): Reader<C> {
  const check = Compile(schema);
  return (object, context) => {
    if (!check.Check(object)) return malformed(`/data/object${check.Errors(object)[0]?.instancePath ?? ''}`);
    return read(object, context, object);
  };
}

/** An intent or a session that names no payment of ours is another program's, and is not looked into. */
export function ofOurs(read: Reader<OurContext>): Reader<Context> {
  return (object, { payNo, ...context }) => (payNo === null ? notHandled(context, payNo) : read(object, { ...context, payNo }));
}

/** Money of a charge without an intent was never asked for here: it belongs to another program. */
export function ofAnIntent(read: Reader<Context>): Reader<Context> {
  return (object, context) => {
    const { payment_intent: trade } = object as { payment_intent?: unknown };
    return trade === null || trade === undefined ? notHandled(context, context.payNo) : read(object, context);
  };
}

/** @returns what Stripe's number is in ours; `amount` is null for a number that Stripe does not have. */
export function moneyOf(amount: number, stripeCurrency: string): { readonly amount: string | null; readonly currency: string } {
  const currency = stripeCurrency.toUpperCase();
  return { amount: fromStripeAmount(amount, currency), currency };
}

/** @returns the member of `value` when it is a text of the pattern; free text would not be, and could name the buyer. */
export function wordIn(value: unknown, name: string, pattern: RegExp): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const word = (value as Readonly<Record<string, unknown>>)[name];
  return typeof word === 'string' && pattern.test(word) ? word : null;
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

export function told(notification: PaymentNotification): Reading {
  return { outcome: 'read', notifications: [notification] };
}

/** Names its members: a context may carry more, and none of it is the payment's. */
export function notHandled({ provider, account, notificationId, providerType }: NotificationSource, payNo: string | null): Reading {
  return { outcome: 'read', notifications: [{ kind: 'not-handled', provider, account, notificationId, providerType, payNo }] };
}

export function malformed(field: string, advice?: string): Reading {
  return { outcome: 'malformed', field, ...(advice === undefined ? {} : { advice }) };
}
