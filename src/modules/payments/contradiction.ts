import type { PaymentRequested, RejectionReason } from '../../contracts/payment-events.ts';
import type { ClaimName, Claims, PaymentNotification, SuccessNotification } from '../../contracts/payment-notifications.ts';
import { paidAmountOf, type PaymentState } from './payment-state.ts';

/** Why a genuine notification is not believed as it stands: what we know, and what it says. */
export interface Contradiction {
  readonly reason: RejectionReason;
  readonly expected: string;
  readonly received: string;
}

/** Settings of the account that the notification came to. */
export interface AccountTerms {
  /** What notifications for the account must claim. */
  readonly expects: Claims;
  /** A success with a discount that the provider gave, down to nothing, is a success. */
  readonly acceptsDiscounts?: boolean;
}

const REASON_OF_CLAIM: Readonly<Record<ClaimName, RejectionReason>> = {
  appId: 'app-id-mismatch',
  spAppId: 'app-id-mismatch',
  subAppId: 'app-id-mismatch',
  sellerId: 'seller-mismatch',
  mchid: 'mchid-mismatch',
  spMchid: 'mchid-mismatch',
  subMchid: 'mchid-mismatch',
  livemode: 'livemode-mismatch',
  connectedAccount: 'connected-account-mismatch',
};

/**
 * Pure. The first thing in which the notification contradicts the request or the account, in the order in which an
 * operator would look: wrong account, wrong trade, wrong money.
 */
export function contradictionOf(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, terms: AccountTerms): Contradiction | null {
  return (
    ofProvider(requested, notification) ??
    ofClaims(terms.expects, notification.claims) ??
    ofMoney(state, requested, notification, terms) ??
    ofTrade(state, notification)
  );
}

function ofProvider(requested: PaymentRequested, notification: PaymentNotification): Contradiction | null {
  const expected = `${requested.provider}/${requested.account}`;
  const received = `${notification.provider}/${notification.account}`;
  return expected === received ? null : { reason: 'provider-mismatch', expected, received };
}

/** A claim that is left out is one that the provider does not make with this kind of notification. */
function ofClaims(expects: Claims, claims: Claims): Contradiction | null {
  for (const [name, expected] of Object.entries(expects) as [ClaimName, string][]) {
    const received = claims[name];
    if (received !== undefined && received !== expected) return { reason: REASON_OF_CLAIM[name], expected, received };
  }
  return null;
}

/** Exactly: too much is as wrong as too little. */
function ofMoney(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, terms: AccountTerms): Contradiction | null {
  if (notification.kind === 'attempt-failed' || notification.kind === 'closed') return null;
  const { currency } = notification;
  if (currency !== requested.currency) return { reason: 'currency-mismatch', expected: requested.currency, received: currency };
  if (notification.kind === 'succeeded') return ofPaidAmount(state, requested, notification, terms);
  // What a refund repeats of the payment, at some providers.
  const paid = notification.kind === 'refunded' ? notification.paymentAmount : null;
  return paid === null || paid === requested.amount || isKnownAsPaid(state, paid) ? null : { reason: 'amount-mismatch', expected: requested.amount, received: paid };
}

/**
 * A discount that the provider gave may lower the amount where the account says so. The success of the same trade may be
 * told again without it (a Stripe session tells of its discount, its intent does not).
 */
function ofPaidAmount(state: PaymentState, { amount: asked }: PaymentRequested, notification: SuccessNotification, { acceptsDiscounts = false }: AccountTerms): Contradiction | null {
  const { amount, providerTradeNo } = notification;
  if (amount === asked || (state.succeeded?.providerTradeNo === providerTradeNo && isKnownAsPaid(state, amount))) return null;
  const isDiscount = isDiscountOf(asked, notification);
  if (isDiscount && acceptsDiscounts) return null;
  const reason = amount === '0' && notification.discount !== undefined ? 'completed-without-payment' : isDiscount ? 'discount-not-accepted' : 'amount-mismatch';
  return { reason, expected: asked, received: amount };
}

function isDiscountOf(asked: string, { amount, discount }: SuccessNotification): boolean {
  if (discount === undefined) return false;
  return discount === null ? BigInt(amount) < BigInt(asked) : BigInt(amount) + BigInt(discount) === BigInt(asked);
}

function isKnownAsPaid({ succeeded }: PaymentState, amount: string): boolean {
  return succeeded !== null && paidAmountOf(succeeded).toString() === amount;
}

/** An attempt may have a number of its own, and a closing may be of another attempt; money is of one trade only. */
function ofTrade({ succeeded }: PaymentState, { kind, providerTradeNo }: PaymentNotification): Contradiction | null {
  if (kind === 'attempt-failed' || kind === 'closed' || succeeded === null) return null;
  if (succeeded.providerTradeNo === providerTradeNo) return null;
  return { reason: 'paid-by-another-trade', expected: succeeded.providerTradeNo, received: providerTradeNo };
}
