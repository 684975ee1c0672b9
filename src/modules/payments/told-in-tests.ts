import type { PaymentEvent, PaymentRequested } from '../../contracts/payment-events.ts';
import type { AttemptFailedNotification, ClosedNotification, DisputeClosedNotification, DisputeNotification, PaymentNotification, RefundFailedNotification, RefundNotification, SuccessNotification } from '../../contracts/payment-notifications.ts';
import { decide as decideOnState, type Decision, type DecideContext } from './decide.ts';
import { fold } from './payment-state.ts';

/** For tests of decisions: one payment of 19.99 CNY, and what one trade can tell about it. */
export const NOW = new Date('2026-11-24T08:00:00.000Z');
export const CONTEXT: DecideContext = { expects: { appId: '1', sellerId: '3', livemode: 'true' }, now: NOW };

export const request: PaymentRequested = {
  payNo: 'p1', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY',
  provider: 'alipay', account: 'main', description: 'course', requestedAt: '2026-11-24T07:00:00.000Z',
};
export const about = { provider: 'alipay', account: 'main', notificationId: 'n1', providerType: 'T', payNo: 'p1', providerTradeNo: 't1', claims: { appId: '1', sellerId: '3' } } as const;
export const success: SuccessNotification = { ...about, kind: 'succeeded', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T07:30:00.000Z' };
export const closed: ClosedNotification = { ...about, kind: 'closed', closedAt: '2026-11-24T07:40:00.000Z' };
export const failed: AttemptFailedNotification = { ...about, kind: 'attempt-failed', attemptId: 'a1', reason: 'declined', failedAt: '2026-11-24T07:20:00.000Z' };
export const refund: RefundNotification = {
  ...about, kind: 'refunded', refundId: 'r1', refundAmount: '500', refundedTotal: null, currency: 'CNY', paymentAmount: '1999', refundedAt: '2026-11-24T07:50:00.000Z',
};
export const sum: RefundNotification = { ...refund, refundAmount: null, refundedTotal: '500' };
export const refundFailed: RefundFailedNotification = { ...about, kind: 'refund-failed', refundId: 'r9', refundAmount: '500', currency: 'CNY', reason: 'ABNORMAL', failedAt: '2026-11-24T07:55:00.000Z' };
export const failedAgain: RefundFailedNotification = { ...refundFailed, refundId: 'r1' };
export const dispute: DisputeNotification = {
  ...about, kind: 'disputed', disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', reason: 'fraudulent', dueBy: '2026-12-24T00:00:00.000Z', funds: 'unchanged', disputedAt: '2026-11-24T08:00:00.000Z',
};
export const withdrawn: DisputeNotification = { ...dispute, funds: 'withdrawn', disputedAt: '2026-11-24T08:01:00.000Z' };
export const reinstated: DisputeNotification = { ...dispute, funds: 'reinstated', disputedAt: '2026-11-24T09:00:00.000Z' };
export const lost: DisputeClosedNotification = { ...about, kind: 'dispute-closed', disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', outcome: 'lost', closedAt: '2026-11-24T08:30:00.000Z' };
export const won: DisputeClosedNotification = { ...lost, outcome: 'won', closedAt: '2026-11-24T08:45:00.000Z' };

export const requested: PaymentEvent = { type: 'PaymentRequested', data: request };

export function decide(events: readonly PaymentEvent[], notification: PaymentNotification, context: DecideContext): Decision {
  return decideOnState(fold(events), notification, context);
}

/** The stream after these notifications. */
export function after(...notifications: readonly PaymentNotification[]): readonly PaymentEvent[] {
  return notifications.reduce<readonly PaymentEvent[]>((stream, notification) => {
    const decision = decide(stream, notification, CONTEXT);
    return decision.kind === 'append' || decision.kind === 'over-limit' ? [...stream, ...decision.events] : stream;
  }, [requested]);
}
export const another = { providerTradeNo: 't2' };
