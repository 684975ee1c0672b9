import { describe, expect, it } from 'vitest';
import type { PaymentEvent, PaymentNotificationRejected } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { tradeFactId } from './event-id.ts';
import { fold } from './payment-state.ts';
import { refundDue } from './refund-due.ts';
import { netTotal } from './returned-money.ts';
import { about, after, CONTEXT, decide, dispute, lost, refund, refundFailed, requested, success, won } from './told-in-tests.ts';

const at = (minute: number): string => `2026-11-24T08:${String(minute).padStart(2, '0')}:00.000Z`;
const done = (refundId: string, minute: number): PaymentNotification => ({ ...refund, refundId, refundAmount: '500', paymentAmount: null, refundedAt: at(minute) });
const failed = (refundId: string, minute: number): PaymentNotification => ({ ...refundFailed, refundId, refundAmount: '500', failedAt: at(minute) });
const moved = (funds: 'withdrawn' | 'reinstated', minute: number): PaymentNotification => ({ ...dispute, funds, disputedAt: at(minute) });
const ended = (outcome: string, minute: number): PaymentNotification => ({ ...(outcome === 'won' ? won : lost), outcome, closedAt: at(minute) });

/** What went back in the end, and what is due. */
function endOf(...notifications: readonly PaymentNotification[]): { net: string; due: string } {
  const { returned } = fold(after(success, ...notifications));
  return { net: netTotal(returned).toString(), due: refundDue(returned, 1_999n).toString() };
}

describe('two refunds that both fail, and nobody says when they began (WeChat Pay)', () => {
  it('are both due', () => {
    expect(endOf(failed('r1', 1), failed('r2', 2)).due).toBe('1000');
  });

  it('leave the one that is not done yet, when the other one is carried out after all', () => {
    expect(endOf(failed('r1', 1), failed('r2', 2), done('r1', 3))).toEqual({ net: '500', due: '500' });
    expect(endOf(done('r1', 3), failed('r1', 1), failed('r2', 2))).toEqual({ net: '500', due: '500' });
  });
});

describe('the same told once more, later, is news for what comes late', () => {
  it('of a dispute whose money was withdrawn twice', () => {
    expect(endOf(moved('withdrawn', 1), moved('reinstated', 2), moved('withdrawn', 3)).net).toBe('1999');
    expect(endOf(moved('withdrawn', 1), moved('withdrawn', 3), moved('reinstated', 2)).net).toBe('1999');
  });

  it('of a dispute that ended twice in the same way, with its money moved in between', () => {
    expect(endOf(moved('withdrawn', 1), ended('won', 2), moved('withdrawn', 3), ended('won', 4)).net).toBe('0');
    expect(endOf(ended('lost', 1), moved('reinstated', 2), ended('lost', 3)).net).toBe('1999');
  });

  it('of a refund that failed twice, and was done in between', () => {
    expect(endOf(failed('r1', 1), done('r1', 2), failed('r1', 3)).net).toBe('0');
    expect(endOf(failed('r1', 1), failed('r1', 3), done('r1', 2)).net).toBe('0');
  });
});

it('an end of a dispute that is neither won nor lost leaves the money where an earlier end has put it', () => {
  expect(endOf(ended('lost', 1), ended('archived', 2)).net).toBe('1999');
});

describe('a rejection that the release before has stored, under an id without a time', () => {
  const data: PaymentNotificationRejected = { ...about, kind: 'refunded', reason: 'refund-before-success', expected: '', received: 't1', rejectedAt: at(0), notification: refund };
  const id = tradeFactId(data, 'rejected', 'refund-before-success', 't1', 'refunded', 'r1', '500', '', 'CNY');
  const rejected = { id, type: 'PaymentNotificationRejected', data } as PaymentEvent;

  it('is ended under that id when its success comes, or its row waits for ever', () => {
    const decision = decide([requested, rejected], success, CONTEXT);
    const ends = decision.kind === 'append' ? decision.events.flatMap((event) => (event.type === 'PaymentNotificationResolved' ? [event.data.notificationEventId] : [])) : [];
    expect(ends).toEqual([id]);
  });

  it('and that an operator has closed is not carried out when the success comes', () => {
    const closed: PaymentEvent = { type: 'PaymentNotificationResolved', data: { payNo: 'p1', notificationEventId: id, outcome: 'closed-by-operator', resolvedBy: 'ann', note: 'not ours', resolvedAt: at(1) } };
    const decision = decide([requested, rejected, closed], success, CONTEXT);
    expect(decision.kind === 'append' && decision.events.map(({ type }) => type)).toEqual(['PaymentSucceeded']);
  });
});

it('a success is stored, however much was told before it', () => {
  const early = Array.from({ length: 1_000 }, (_, n): PaymentNotification => ({ ...dispute, disputeId: `d${n}` }));
  expect(after(...early, success).some(({ type }) => type === 'PaymentSucceeded')).toBe(true);
});
