import { createHash } from 'node:crypto';
import type { PaymentEvent, PaymentNotificationRejected } from '../../contracts/payment-events.ts';
import { factParts } from './notification-fact.ts';

/** Namespace of all ids made here. Changing it would make every retried fact a new one. */
const NAMESPACE = Buffer.from('6f1b8f0c6a5d4e0f9a3b2c7d1e8f4a55', 'hex');

/**
 * Id of a payment event, the same however often and by whomever the same fact is told: a retry after an unknown outcome,
 * a repeated notification and a race between two instances all write it once.
 *
 * Of what went back it holds all that is remembered: two facts that are decided on at the same revision must differ, or the
 * store takes the second append for the first one told again, and answers with its success. What is told again later is
 * recognised by the state, not by its id.
 */
export function paymentEventId(event: PaymentEvent): string {
  switch (event.type) {
    case 'PaymentRequested': {
      const { payNo, orderId, outBusinessId, orderType, userId, amount, currency, provider, account } = event.data;
      return nameBasedId(['requested', payNo, orderId, outBusinessId, orderType, userId, amount, currency, provider, account]);
    }
    case 'PaymentSucceeded':
      return tradeFactId(event.data, 'succeeded');
    case 'PaymentAttemptFailed':
      return tradeFactId(event.data, 'attempt-failed', event.data.attemptId);
    case 'PaymentClosed':
      return tradeFactId(event.data, 'closed');
    case 'PaymentRefunded': {
      const { refundId, refundAmount, toldTotal, refundedAt, toldBefore } = event.data;
      if (refundId === null) return tradeFactId(event.data, 'refunded-in-all', toldTotal ?? '', refundedAt);
      return tradeFactId(event.data, 'refunded', refundId, refundAmount ?? '', refundedAt, ...again(toldBefore));
    }
    case 'PaymentRefundFailed': {
      const { refundId, refundAmount, failedAt, initiatedAt, toldBefore } = event.data;
      return tradeFactId(event.data, 'refund-failed', refundId, refundAmount, failedAt, initiatedAt ?? '', ...again(toldBefore));
    }
    case 'PaymentDisputed': {
      const { disputeId, disputedAmount, dueBy, funds, disputedAt, toldBefore } = event.data;
      return tradeFactId(event.data, 'disputed', disputeId, disputedAmount, dueBy ?? '', funds, disputedAt, ...again(toldBefore));
    }
    case 'PaymentDisputeClosed': {
      const { disputeId, disputedAmount, outcome, closedAt, toldBefore } = event.data;
      return tradeFactId(event.data, 'dispute-closed', disputeId, disputedAmount, outcome, closedAt, ...again(toldBefore));
    }
    case 'PaymentNotificationsLimited': {
      const { provider, account, payNo } = event.data;
      return nameBasedId(['notifications-limited', provider, account, payNo]);
    }
    case 'PaymentNotificationRejected':
      return rejectionId(event.data);
    case 'PaymentNotificationResolved':
      return resolvedId(event.data.notificationEventId);
  }
}

/** The same fact once more, after the contrary was told in between, is another event. */
function again(toldBefore: number): readonly string[] {
  return toldBefore === 0 ? [] : [String(toldBefore)];
}

/** The rejection of a success has the id that it had before other kinds were rejected, too. */
function rejectionId(data: PaymentNotificationRejected): string {
  const { kind, reason, received, notification } = data;
  if (kind === 'succeeded' || notification === null) return tradeFactId(data, 'rejected', reason, received);
  return tradeFactId(data, 'rejected', reason, received, kind, ...factParts(notification));
}

/** A notification stops waiting once, whoever ends it. */
export function resolvedId(notificationEventId: string): string {
  return nameBasedId(['resolved', notificationEventId]);
}

export interface TradeIdentity {
  readonly provider: string;
  readonly account: string;
  readonly providerTradeNo: string;
  readonly payNo: string | null;
}

/**
 * The payNo is part of the identity: if a provider ever names one trade for two payments, the second must not vanish
 * in the modules' ledgers as "already applied".
 */
export function tradeFactId(trade: TradeIdentity, kind: string, ...more: readonly string[]): string {
  return nameBasedId([trade.provider, trade.account, trade.providerTradeNo, kind, trade.payNo ?? '', ...more]);
}

/** UUID version 5 (RFC 9562). The parts are encoded as JSON, so that no two lists of parts give the same name. */
export function nameBasedId(parts: readonly string[]): string {
  const hash = createHash('sha1').update(NAMESPACE).update(JSON.stringify(parts)).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
