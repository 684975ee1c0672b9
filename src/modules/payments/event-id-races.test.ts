import { describe, expect, it } from 'vitest';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { upcast } from '../../contracts/event-versions.ts';
import { paymentEventId, tradeFactId } from './event-id.ts';
import { about, after, CONTEXT, decide, dispute, failedAgain, lost, refund, reinstated, request, requested, success, withdrawn, won } from './told-in-tests.ts';

/*
 * Two instances, or two requests, decide at the same revision. The store answers the second append with success when its
 * event ids are those that stand there: of two different facts with one id the second would be lost, and told as stored.
 */
describe('two facts that are decided on at the same revision', () => {
  const paid = after(success);
  const idOf = (notification: PaymentNotification): string => {
    const decision = decide(paid, notification, CONTEXT);
    if (decision.kind !== 'append') throw new Error(`is ${decision.kind}`);
    return paymentEventId(decision.events[0]);
  };

  it.each<[string, PaymentNotification, PaymentNotification]>([
    ['a dispute, and that its money is withdrawn', dispute, withdrawn],
    ['money of a dispute that is withdrawn, and given back', withdrawn, reinstated],
    ['a dispute, and its new due date', dispute, { ...dispute, dueBy: '2026-12-30T00:00:00.000Z' }],
    ['a dispute that is lost, and won', lost, won],
    ['a refund, and the same done later', refund, { ...refund, refundedAt: '2026-11-24T08:50:00.000Z' }],
    ['a failed refund, and the same failed later', failedAgain, { ...failedAgain, failedAt: '2026-11-24T08:50:00.000Z' }],
  ])('have ids of their own: %s', (_name, one, other) => {
    expect(idOf(one)).not.toBe(idOf(other));
  });
});

it('a refund that is told again after its failure has no id that the release before has given', () => {
  const data = { ...request, ...about, refundId: 'r1', refundAmount: '1', refundedTotal: '1', refundedAt: refund.refundedAt };
  const idOfVersion1 = tradeFactId(data, 'refunded', 'r1', '1', '1');
  const stored = { type: 'PaymentRefunded', data: upcast('PaymentRefunded', 1, data) } as (typeof requested);
  const stream = [...after(success), stored];
  const failure = decide(stream, { ...failedAgain, refundAmount: '1' }, CONTEXT);
  const again = decide([...stream, ...(failure.kind === 'append' ? failure.events : [])], { ...refund, refundAmount: '1', refundedAt: '2026-11-24T09:00:00.000Z' }, CONTEXT);
  expect(again.kind === 'append' && paymentEventId(again.events[0])).not.toBe(idOfVersion1);
});
