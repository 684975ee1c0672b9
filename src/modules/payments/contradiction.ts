import type { PaymentRequested, RejectionReason } from '../../contracts/payment-events.ts';
import type { ClaimName, Claims, PaymentNotification } from '../../contracts/payment-notifications.ts';
import type { PaymentState } from './payment-state.ts';

/** Why a genuine notification is not believed as it stands: what we know, and what it says. */
export interface Contradiction {
  readonly reason: RejectionReason;
  readonly expected: string;
  readonly received: string;
}

const REASON_OF_CLAIM: Readonly<Record<ClaimName, RejectionReason>> = {
  appId: 'app-id-mismatch',
  sellerId: 'seller-mismatch',
  mchid: 'mchid-mismatch',
  livemode: 'livemode-mismatch',
  connectedAccount: 'connected-account-mismatch',
};

/**
 * Pure. The first thing in which the notification contradicts the request or the account, in the order in which an
 * operator would look: wrong account, wrong trade, wrong money.
 * @param expects what notifications for the account must claim.
 */
export function contradictionOf(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, expects: Claims): Contradiction | null {
  return (
    ofProvider(requested, notification) ??
    ofClaims(expects, notification.claims) ??
    ofMoney(requested, notification) ??
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
function ofMoney(requested: PaymentRequested, notification: PaymentNotification): Contradiction | null {
  const { kind } = notification;
  if (kind === 'attempt-failed' || kind === 'closed') return null;
  const { currency } = notification;
  if (currency !== requested.currency) return { reason: 'currency-mismatch', expected: requested.currency, received: currency };
  const paid = paidAmountIn(notification);
  return paid === null || paid === requested.amount ? null : { reason: 'amount-mismatch', expected: requested.amount, received: paid };
}

/** What it says the whole payment was: a refund repeats it at some providers. */
function paidAmountIn(notification: PaymentNotification): string | null {
  if (notification.kind === 'succeeded') return notification.amount;
  return notification.kind === 'refunded' ? notification.paymentAmount : null;
}

/** An attempt may have a number of its own, and a closing may be of another attempt; money is of one trade only. */
function ofTrade({ succeeded }: PaymentState, { kind, providerTradeNo }: PaymentNotification): Contradiction | null {
  if (kind === 'attempt-failed' || kind === 'closed' || succeeded === null) return null;
  if (succeeded.providerTradeNo === providerTradeNo) return null;
  return { reason: 'paid-by-another-trade', expected: succeeded.providerTradeNo, received: providerTradeNo };
}
