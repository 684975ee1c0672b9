import { MessageError } from '../../contracts/errors.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';

/** A pay record as the database gives it, with what else stands in the way of paying it. */
export interface LockedPayRecord {
  readonly pay_no: string;
  readonly order_id: string;
  readonly provider: string;
  readonly account: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly provider_trade_no: string | null;
  /** Another pay record that holds the message's trade number. */
  readonly trade_no_held_by: string | null;
}

/**
 * Pure. The payments module has checked the provider's claim against what was asked for; this checks that the message
 * fits the row it is about to pay, so that no mistake on the way turns into money.
 * @throws MessageError naming both sides.
 */
export function checkPayment({ payment }: PaymentMessage, record: LockedPayRecord | undefined): void {
  const { payNo, orderId, amount, currency, provider, account, providerTradeNo } = payment;
  if (record === undefined) throw new MessageError('pay-record-unknown', `Payment ${payNo} of order ${orderId} has no pay record.`);
  if (record.order_id !== orderId) throw new MessageError('order-mismatch', `Payment ${payNo} says order ${orderId}; its pay record is of order ${record.order_id}.`);
  if (record.amount !== BigInt(amount) || record.currency !== currency) {
    throw new MessageError('amount-mismatch', `Payment ${payNo} says ${amount} ${currency}; its pay record says ${record.amount} ${record.currency}.`);
  }
  if (record.provider !== provider || record.account !== account) {
    throw new MessageError('provider-mismatch', `Payment ${payNo} comes from ${provider}/${account}; it was opened with ${record.provider}/${record.account}.`);
  }
  if (record.trade_no_held_by !== null) throw taken(payment, record.trade_no_held_by);
  if (record.provider_trade_no !== null && record.provider_trade_no !== providerTradeNo) {
    throw new MessageError('paid-by-another-trade', `Payment ${payNo} says trade number ${providerTradeNo}; its pay record was paid by ${record.provider_trade_no}.`);
  }
}

/**
 * Pure. Messages of one batch are checked against the rows before any of them is written, so they must be checked against
 * each other too. @returns null when no trade number pays two payments.
 */
export function findTradeNumberTwice(messages: readonly PaymentMessage[]): MessageError | null {
  const holders = new Map<string, string>();
  for (const { payment } of messages) {
    const key = JSON.stringify([payment.provider, payment.account, payment.providerTradeNo]);
    const holder = holders.get(key) ?? payment.payNo;
    if (holder !== payment.payNo) return taken(payment, holder);
    holders.set(key, holder);
  }
  return null;
}

function taken({ payNo, provider, account, providerTradeNo }: PaymentMessage['payment'], holder: string): MessageError {
  return new MessageError('trade-number-taken', `Payment ${payNo} says trade number ${providerTradeNo} of ${provider}/${account}, which paid ${holder}.`);
}
