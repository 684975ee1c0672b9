import type { PaymentNotification } from '../../contracts/payment-notifications.ts';

/**
 * What tells one fact of a provider from another, whoever tells it and however often: part of event ids, next to the
 * trade and the payment. Never the notification's own id, which differs between two tellings.
 */
export function factParts(notification: PaymentNotification): readonly string[] {
  switch (notification.kind) {
    case 'succeeded':
      return [notification.amount, notification.currency];
    case 'attempt-failed':
      return [notification.attemptId];
    case 'closed':
      return [];
    case 'refunded': {
      // With the time: whether a refund counts depends on whether it was done before or after it failed.
      const { refundAmount, refundedTotal, currency, refundedAt } = notification;
      return [refundIdOf(notification) ?? '', refundAmount ?? '', refundedTotal ?? '', currency, refundedAt];
    }
    case 'refund-failed':
      return [notification.refundId, notification.refundAmount, notification.currency, notification.failedAt];
    case 'disputed': {
      const { disputeId, disputedAmount, currency, dueBy, funds, disputedAt } = notification;
      return [disputeId, disputedAmount, currency, dueBy ?? '', funds, disputedAt];
    }
    case 'dispute-closed': {
      const { disputeId, disputedAmount, currency, outcome, closedAt } = notification;
      return [disputeId, disputedAmount, currency, outcome, closedAt];
    }
  }
}

/**
 * A refund that has an amount of its own but no id is known by its notification: to take it for the same as another one
 * without an id would lose money. @returns null for a sum of all refunds without an id.
 */
export function refundIdOf(notification: PaymentNotification & { readonly kind: 'refunded' }): string | null {
  const { refundId, refundAmount, notificationId } = notification;
  return refundId ?? (refundAmount === null ? null : notificationId);
}
