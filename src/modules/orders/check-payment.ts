import { MessageError } from '../../contracts/errors.ts';
import { MONEY_RETURNED_TYPES, type PaymentMessage } from '../../contracts/payment-messages.ts';

/** A pay record as the database gives it, with what else stands in the way of what the message says. */
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
 * fits the row it is about to change, so that no mistake on the way turns into money.
 * @throws MessageError naming both sides.
 */
export function checkPayment(message: PaymentMessage, record: LockedPayRecord | undefined): void {
  const { payNo, orderId, amount, currency, provider, account, providerTradeNo } = message.payment;
  if (record === undefined) throw new MessageError('pay-record-unknown', `Payment ${payNo} of order ${orderId} has no pay record.`);
  if (record.order_id !== orderId) throw new MessageError('order-mismatch', `Payment ${payNo} says order ${orderId}; its pay record is of order ${record.order_id}.`);
  if (record.amount !== BigInt(amount) || record.currency !== currency) {
    throw new MessageError('amount-mismatch', `Payment ${payNo} says ${amount} ${currency}; its pay record says ${record.amount} ${record.currency}.`);
  }
  const { paidAmount = amount } = message.payment;
  if (BigInt(paidAmount) > record.amount) throw new MessageError('amount-mismatch', `Payment ${payNo} says that ${paidAmount} was paid of ${amount} ${currency}.`);
  if (record.provider !== provider || record.account !== account) {
    throw new MessageError('provider-mismatch', `Payment ${payNo} comes from ${provider}/${account}; it was opened with ${record.provider}/${record.account}.`);
  }
  if (!movesMoney(message)) return;
  if (record.trade_no_held_by !== null) throw taken(message.payment, record.trade_no_held_by);
  if (record.provider_trade_no !== null && record.provider_trade_no !== providerTradeNo) throw anotherTrade(message, record.provider_trade_no);
}

/**
 * Pure. Messages of one batch are checked against the rows before any of them is written, so they must be checked against
 * each other too. @returns null when each payment is of one trade, and no trade of two payments.
 */
export function findTradeConflict(messages: readonly PaymentMessage[]): MessageError | null {
  const trades = new Map<string, string>();
  const holders = new Map<string, string>();
  for (const message of messages.filter(movesMoney)) {
    const { payNo, provider, account, providerTradeNo } = message.payment;
    const trade = trades.get(payNo) ?? providerTradeNo;
    if (trade !== providerTradeNo) return anotherTrade(message, trade);
    trades.set(payNo, trade);
    const key = JSON.stringify([provider, account, providerTradeNo]);
    const holder = holders.get(key) ?? payNo;
    if (holder !== payNo) return taken(message.payment, holder);
    holders.set(key, holder);
  }
  return null;
}

/** Money is of one trade only, whichever way it goes. A closing may be of another attempt than the one that was paid after it. */
export function movesMoney({ type }: PaymentMessage): boolean {
  return type === 'PaymentSucceeded' || MONEY_RETURNED_TYPES.has(type);
}

function anotherTrade({ type, payment: { payNo, providerTradeNo } }: PaymentMessage, trade: string): MessageError {
  const code = type === 'PaymentSucceeded' ? 'paid-by-another-trade' : 'refund-of-another-trade';
  return new MessageError(code, `Payment ${payNo} says trade number ${providerTradeNo}; its pay record was paid by ${trade}.`);
}

function taken({ payNo, provider, account, providerTradeNo }: PaymentMessage['payment'], holder: string): MessageError {
  return new MessageError('trade-number-taken', `Payment ${payNo} says trade number ${providerTradeNo} of ${provider}/${account}, which paid ${holder}.`);
}
