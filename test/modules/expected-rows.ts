import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { AMOUNT, FREE_FROM, VALID_DAYS, type Customer, type RandomOrder } from './random-shop.ts';

/** The rows that docs/PAYMENT_RULES.md gives for a set of messages, read off the set as a person would: no row, no SQL. */
export interface Rows {
  readonly orders: readonly ExpectedOrder[];
  readonly selections: readonly ExpectedSelection[];
  readonly myCourse: { readonly selectionId: string; readonly courseType: string; readonly validFrom: Date; readonly validTo: Date } | null;
}

interface ExpectedOrder {
  readonly orderId: string;
  readonly status: string;
  readonly paidPayNo: string | null;
  readonly paidAt: Date | null;
  readonly records: readonly ExpectedRecord[];
}

interface ExpectedRecord {
  readonly payNo: string;
  readonly status: string;
  readonly paidAt: Date | null;
  readonly refundedTotal: string;
  readonly refundedAt: Date | null;
  readonly closedAt: Date | null;
  readonly refundDue: string;
  /** Kind, amount, what is due, until when, and the provider's word, of the open ones. */
  readonly workItems: readonly string[];
}

interface ExpectedSelection {
  readonly selectionId: string;
  readonly status: string;
  readonly validFrom: Date | null;
  readonly validTo: Date | null;
  readonly refundedAt: Date | null;
}

/** What is known of one payment once everything has been told. */
interface Payment {
  readonly payNo: string;
  readonly position: bigint;
  readonly paidAt: Date | null;
  /** The price, or what was paid of it. */
  readonly paid: bigint;
  readonly refundedTotal: bigint;
  readonly refundedAt: Date | null;
  readonly refundDue: bigint;
  readonly closedAt: Date | null;
  /** Open work items that messages tell of themselves. */
  readonly items: readonly string[];
}

export function expectedRows({ userId, hasFree, orders }: Customer): Rows {
  const selections = orders.map((order) => selectionOf(order)).toSorted((a, b) => (a.selectionId < b.selectionId ? -1 : 1));
  const free = hasFree ? [{ selectionId: `free-${userId}`, courseType: '700001', validFrom: FREE_FROM, validTo: endOf(FREE_FROM) }] : [];
  const given = selections.flatMap(({ selectionId, validFrom, validTo, refundedAt }) =>
    validFrom === null || validTo === null || refundedAt !== null ? [] : [{ selectionId, courseType: '700002', validFrom, validTo }],
  );
  const [newest, ...others] = [...free, ...given].toSorted((a, b) => b.validFrom.getTime() - a.validFrom.getTime() || (a.selectionId < b.selectionId ? 1 : -1));
  const myCourse = newest === undefined ? null : { ...newest, validTo: latest([newest, ...others].map(({ validTo }) => validTo)) };
  return { orders: orders.map(orderOf).toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1)), selections, myCourse };
}

function orderOf(order: RandomOrder): ExpectedOrder {
  const payments = order.payNos.map((payNo) => paymentOf(payNo, order.messages));
  const paid = payments.filter(({ paidAt }) => paidAt !== null).toSorted((a, b) => (a.position < b.position ? -1 : 1));
  const standing = paid.filter((payment) => !isRefunded(payment));
  const by = standing[0] ?? paid[0] ?? null;
  const status = standing.length > 0 ? '600002' : paid.length > 0 ? '600004' : payments.every(({ closedAt }) => closedAt !== null) ? '600003' : '600001';
  const records = payments.map((payment) => {
    const { payNo, paidAt, refundedTotal, refundedAt, refundDue, closedAt, items } = payment;
    const isStanding = standing.includes(payment);
    const due = payment.paid - refundedTotal;
    const kind = !isStanding || due <= 0n ? null : payNo !== by?.payNo ? 'overpaid' : closedAt !== null ? 'paid-after-close' : null;
    const workItems = [...items, ...(kind === null ? [] : [`${kind} ${AMOUNT} ${due} null null`])].toSorted();
    const status = paidAt === null ? '601001' : isStanding ? '601002' : '601003';
    return { payNo, status, paidAt, refundedTotal: refundedTotal.toString(), refundedAt, refundDue: refundDue.toString(), closedAt, workItems };
  });
  return { orderId: order.orderId, status, paidPayNo: by?.payNo ?? null, paidAt: by?.paidAt ?? null, records };
}

function selectionOf({ selectionId, payNos, messages }: RandomOrder): ExpectedSelection {
  const paid = payNos.map((payNo) => paymentOf(payNo, messages)).filter(({ paidAt }) => paidAt !== null);
  if (paid.length === 0) return { selectionId, status: '701002', validFrom: null, validTo: null, refundedAt: null };
  const standing = paid.filter((payment) => !isRefunded(payment));
  const validFrom = earliest((standing.length > 0 ? standing : paid).map(({ paidAt }) => paidAt as Date));
  const refundedAt = standing.length > 0 ? null : latest(paid.map((payment) => payment.refundedAt as Date));
  return { selectionId, status: '701001', validFrom, validTo: endOf(validFrom), refundedAt };
}

/** A payment of nothing is not refunded before anything went back. */
const isRefunded = ({ refundedTotal, paid }: Payment): boolean => refundedTotal > 0n && refundedTotal >= paid;

function paymentOf(payNo: string, messages: readonly PaymentMessage[]): Payment {
  const own = messages.filter(({ payment }) => payment.payNo === payNo).toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  const success = own.find(({ type }) => type === 'PaymentSucceeded');
  const closings = own.filter(({ type }) => type === 'PaymentClosed');
  const last = own.findLast(({ payment }) => payment.refundedTotal !== undefined);
  const { refundedTotal = '0', refundDue = '0', refundedAt, failedAt, disputedAt, closedAt } = last?.payment ?? {};
  return {
    payNo,
    position: success === undefined ? 0n : placeOf(success),
    paidAt: dateOf(success?.payment.paidAt),
    paid: BigInt(success?.payment.paidAmount ?? AMOUNT),
    refundedTotal: BigInt(refundedTotal),
    refundedAt: refundedTotal === '0' ? null : dateOf(refundedAt ?? failedAt ?? disputedAt ?? closedAt),
    refundDue: BigInt(refundDue),
    closedAt: closings.length === 0 ? null : earliest(closings.map(({ payment }) => dateOf(payment.closedAt) as Date)),
    items: [...failureItems(own, refundDue), ...disputeItems(own)],
  };
}

function failureItems(own: readonly PaymentMessage[], due: string): string[] {
  const failure = own.findLast(({ type }) => type === 'PaymentRefundFailed');
  return failure === undefined || due === '0' ? [] : [`refund-failed ${due} ${due} null ${failure.payment.reason}`];
}

function disputeItems(own: readonly PaymentMessage[]): string[] {
  const disputes = Map.groupBy(own.filter(({ payment }) => payment.disputeId !== undefined), ({ payment }) => payment.disputeId);
  return [...disputes.values()].flatMap((told) => {
    const { disputedAmount, outcome, dueBy = null, reason } = told.at(-1)!.payment;
    if (outcome === undefined) return [`disputed ${disputedAmount} 0 ${dueBy} ${reason}`];
    return outcome === 'lost' ? [`disputed ${disputedAmount} ${disputedAmount} null lost`] : [];
  });
}

const placeOf = ({ generation, id }: PaymentMessage): bigint => BigInt(generation) * 10n ** 12n + BigInt(id);
const dateOf = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text));
const endOf = (from: Date): Date => new Date(from.getTime() + VALID_DAYS * 86_400_000);
const earliest = (dates: readonly Date[]): Date => new Date(Math.min(...dates.map((date) => date.getTime())));
const latest = (dates: readonly Date[]): Date => new Date(Math.max(...dates.map((date) => date.getTime())));
