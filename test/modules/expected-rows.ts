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
  readonly workItem: string | null;
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
  readonly refundedTotal: bigint;
  readonly refundedAt: Date | null;
  readonly closedAt: Date | null;
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
  const standing = paid.filter(({ refundedTotal }) => refundedTotal < AMOUNT);
  const by = standing[0] ?? paid[0] ?? null;
  const status = standing.length > 0 ? '600002' : paid.length > 0 ? '600004' : payments.every(({ closedAt }) => closedAt !== null) ? '600003' : '600001';
  const records = payments.map(({ payNo, paidAt, refundedTotal, refundedAt, closedAt }) => {
    const isStanding = standing.some((payment) => payment.payNo === payNo);
    const workItem = !isStanding ? null : payNo !== by?.payNo ? 'overpaid' : closedAt !== null ? 'paid-after-close' : null;
    return { payNo, status: paidAt === null ? '601001' : isStanding ? '601002' : '601003', paidAt, refundedTotal: refundedTotal.toString(), refundedAt, closedAt, workItem };
  });
  return { orderId: order.orderId, status, paidPayNo: by?.payNo ?? null, paidAt: by?.paidAt ?? null, records };
}

function selectionOf({ selectionId, payNos, messages }: RandomOrder): ExpectedSelection {
  const paid = payNos.map((payNo) => paymentOf(payNo, messages)).filter(({ paidAt }) => paidAt !== null);
  if (paid.length === 0) return { selectionId, status: '701002', validFrom: null, validTo: null, refundedAt: null };
  const standing = paid.filter(({ refundedTotal }) => refundedTotal < AMOUNT);
  const validFrom = earliest((standing.length > 0 ? standing : paid).map(({ paidAt }) => paidAt as Date));
  const refundedAt = standing.length > 0 ? null : latest(paid.map((payment) => payment.refundedAt as Date));
  return { selectionId, status: '701001', validFrom, validTo: endOf(validFrom), refundedAt };
}

function paymentOf(payNo: string, messages: readonly PaymentMessage[]): Payment {
  const own = messages.filter(({ payment }) => payment.payNo === payNo);
  const success = own.find(({ type }) => type === 'PaymentSucceeded');
  const refunds = own.filter(({ type }) => type === 'PaymentRefunded');
  const closings = own.filter(({ type }) => type === 'PaymentClosed');
  return {
    payNo,
    position: BigInt(success?.id ?? 0),
    paidAt: dateOf(success?.payment.paidAt),
    refundedTotal: refunds.reduce((largest, { payment }) => (BigInt(payment.refundedTotal ?? 0) > largest ? BigInt(payment.refundedTotal ?? 0) : largest), 0n),
    refundedAt: refunds.length === 0 ? null : latest(refunds.map(({ payment }) => dateOf(payment.refundedAt) as Date)),
    closedAt: closings.length === 0 ? null : earliest(closings.map(({ payment }) => dateOf(payment.closedAt) as Date)),
  };
}

const dateOf = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text));
const endOf = (from: Date): Date => new Date(from.getTime() + VALID_DAYS * 86_400_000);
const earliest = (dates: readonly Date[]): Date => new Date(Math.min(...dates.map((date) => date.getTime())));
const latest = (dates: readonly Date[]): Date => new Date(Math.max(...dates.map((date) => date.getTime())));
