import { Type, type Static, type TObject } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseMinorUnits } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, REASON_PATTERN, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import { parseJsonBody } from './json-body.ts';
import type { Reading } from './provider.ts';
import { utcTime } from './utc-time.ts';

/**
 * Our own payloads inside a Standard Webhook: `{ type, timestamp, data }`, with amounts as strings of integer minor units and
 * times in ISO 8601 with their zone. All of them have `payNo` and `tradeNo`; `?` may be left out:
 *
 * | type                   | data                                                                                                |
 * | payment.succeeded      | amount, currency, paidAt                                                                            |
 * | payment.failed         | attemptId?, reason, failedAt                                                                        |
 * | payment.closed         | closedAt                                                                                            |
 * | payment.refunded       | refundId?, refundAmount? or refundedTotal? (or both), currency, paymentAmount?, refundedAt          |
 * | payment.refund_failed  | refundId, refundAmount, currency, reason, failedAt, initiatedAt?                                    |
 * | payment.disputed       | disputeId, disputedAmount, currency, reason, dueBy?, funds?, disputedAt                             |
 * | payment.dispute_closed | disputeId, disputedAmount, currency, outcome, closedAt                                              |
 *
 * `funds` is `unchanged` (when left out), `withdrawn` or `reinstated`; of the outcomes `won` and `lost` decide where the money
 * is. Unknown members are ignored, so that a sender may add to them, and unknown types are acknowledged.
 */
const Id = Type.String({ pattern: PROVIDER_ID_PATTERN });
const Amount = Type.String({ description: 'Integer minor units' });
const Currency = Type.String({ pattern: '^[A-Z]{3}$' });
const Reason = Type.String({ pattern: REASON_PATTERN });
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$' });
const payment = { payNo: Type.String({ pattern: PAY_NO_PATTERN }), tradeNo: Id };

const envelopeCheck = Compile(Type.Object({ type: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }), data: Type.Object({}) }));

const Succeeded = Type.Object({ ...payment, amount: Amount, currency: Currency, paidAt: Time });
const Failed = Type.Object({ ...payment, attemptId: Type.Optional(Id), reason: Reason, failedAt: Time });
const Closed = Type.Object({ ...payment, closedAt: Time });
const Refunded = Type.Object({
  ...payment,
  refundId: Type.Optional(Id),
  refundAmount: Type.Optional(Amount),
  refundedTotal: Type.Optional(Amount),
  currency: Currency,
  paymentAmount: Type.Optional(Amount),
  refundedAt: Time,
});
const RefundFailed = Type.Object({ ...payment, refundId: Id, refundAmount: Amount, currency: Currency, reason: Reason, failedAt: Time, initiatedAt: Type.Optional(Time) });
const Disputed = Type.Object({
  ...payment,
  disputeId: Id,
  disputedAmount: Amount,
  currency: Currency,
  reason: Reason,
  dueBy: Type.Optional(Type.Union([Time, Type.Null()])),
  funds: Type.Optional(Type.Union([Type.Literal('unchanged'), Type.Literal('withdrawn'), Type.Literal('reinstated')])),
  disputedAt: Time,
});
const DisputeClosed = Type.Object({ ...payment, disputeId: Id, disputedAmount: Amount, currency: Currency, outcome: Reason, closedAt: Time });

/** In the order of the types: what is sent, and what it is in our words. */
const readers: Readonly<Record<string, Reader>> = {
  'payment.succeeded': reader(Succeeded, ({ amount, currency, paidAt }, about) => ({ kind: 'succeeded', ...about, amount, currency, paidAt: utc(paidAt) })),
  'payment.failed': reader(Failed, ({ attemptId, reason, failedAt }, about) => {
    // The id of a webhook stays the same when it is sent again: it stands for the attempt of a sender without ids of its own.
    return { kind: 'attempt-failed', ...about, attemptId: attemptId ?? about.notificationId, reason, failedAt: utc(failedAt) };
  }),
  'payment.closed': reader(Closed, ({ closedAt }, about) => ({ kind: 'closed', ...about, closedAt: utc(closedAt) })),
  'payment.refunded': reader(Refunded, ({ refundId = null, refundAmount = null, refundedTotal = null, currency, paymentAmount = null, refundedAt }, about) => {
    return { kind: 'refunded', ...about, refundId, refundAmount, refundedTotal, currency, paymentAmount, refundedAt: utc(refundedAt) };
  }),
  'payment.refund_failed': reader(RefundFailed, ({ refundId, refundAmount, currency, reason, failedAt, initiatedAt }, about) => {
    const asked = initiatedAt === undefined ? {} : { initiatedAt: utc(initiatedAt) };
    return { kind: 'refund-failed', ...about, refundId, refundAmount, currency, reason, failedAt: utc(failedAt), ...asked };
  }),
  'payment.disputed': reader(Disputed, ({ disputeId, disputedAmount, currency, reason, dueBy = null, funds = 'unchanged', disputedAt }, about) => {
    return { kind: 'disputed', ...about, disputeId, disputedAmount, currency, reason, dueBy: dueBy === null ? null : utc(dueBy), funds, disputedAt: utc(disputedAt) };
  }),
  'payment.dispute_closed': reader(DisputeClosed, ({ disputeId, disputedAmount, currency, outcome, closedAt }, about) => {
    return { kind: 'dispute-closed', ...about, disputeId, disputedAmount, currency, outcome, closedAt: utc(closedAt) };
  }),
};

export function readStandardPayload(origin: Omit<NotificationSource, 'providerType'>, body: Buffer): Reading {
  const value = parseJsonBody(body);
  if (!envelopeCheck.Check(value)) return malformed(envelopeCheck.Errors(value)[0]?.instancePath ?? '');
  const source = { ...origin, providerType: value.type };
  const read = Object.hasOwn(readers, value.type) ? readers[value.type] : undefined;
  if (read !== undefined) return read(source, value.data);
  return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, payNo: payNoIn(value.data) }] };
}

type Reader = (source: NotificationSource, data: object) => Reading;
type About = NotificationSource & { readonly payNo: string; readonly providerTradeNo: string; readonly claims: Record<string, never> };

/** Schema first, then the values that a schema cannot check, then our words. */
function reader<S extends TObject>(schema: S, toNotification: (data: Static<S>, about: About) => PaymentNotification): Reader {
  const check = Compile(schema);
  const known = new Set(Object.keys(schema.properties));
  return (source, data) => {
    if (!check.Check(data)) return malformed(`/data${check.Errors(data)[0]?.instancePath ?? ''}`);
    const field = wrongValue(data, known);
    if (field !== null) return malformed(`/data/${field}`);
    const { payNo, tradeNo } = data as { payNo: string; tradeNo: string };
    return { outcome: 'read', notifications: [toNotification(data, { ...source, payNo, providerTradeNo: tradeNo, claims: {} })] };
  };
}

const AMOUNTS = ['amount', 'refundAmount', 'refundedTotal', 'paymentAmount', 'disputedAmount'];
const TIMES = ['paidAt', 'failedAt', 'initiatedAt', 'closedAt', 'refundedAt', 'dueBy', 'disputedAt'];

/** @returns the name of the first member of the schema whose value is none. */
function wrongValue(data: object, known: ReadonlySet<string>): string | null {
  const values = data as Readonly<Partial<Record<string, string | null>>>;
  const isWrong = (name: string, parse: (text: string) => unknown): boolean => known.has(name) && typeof values[name] === 'string' && parse(values[name]) === null;
  const wrongAmount = AMOUNTS.find((name) => isWrong(name, parseMinorUnits));
  const wrongTime = TIMES.find((name) => isWrong(name, utcTime));
  // A refund of nothing, or one that does not say how much, would be no refund.
  const noRefund = known.has('refundedAt') && !isPositive(values.refundAmount) && !isPositive(values.refundedTotal) ? 'refundAmount' : null;
  return wrongAmount ?? wrongTime ?? noRefund;
}

function isPositive(amount: string | null | undefined): boolean {
  return typeof amount === 'string' && amount !== '0';
}

function utc(time: string): string {
  return new Date(time).toISOString();
}

function payNoIn(data: object): string | null {
  const { payNo } = data as { payNo?: unknown };
  return typeof payNo === 'string' && new RegExp(PAY_NO_PATTERN).test(payNo) ? payNo : null;
}

function malformed(field: string): Reading {
  return { outcome: 'malformed', field };
}
