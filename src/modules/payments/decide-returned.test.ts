import { describe, expect, it } from 'vitest';
import { upcast } from '../../contracts/event-versions.ts';
import type { PaymentEvent } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { ATTEMPTS_LIMIT, FACTS_LIMIT } from './fact-limit.ts';
import { fold } from './payment-state.ts';
import { refundDue } from './refund-due.ts';
import { netTotal } from './returned-money.ts';
import { about, after, closed, CONTEXT, decide, failed, failedAgain, NOW, refund, refundFailed, request, success, sum, withdrawn } from './told-in-tests.ts';

describe('the limit of facts of one payment and account', () => {
  const attempts = Array.from({ length: ATTEMPTS_LIMIT }, (_, index): PaymentNotification => ({ ...failed, attemptId: `a${index}` }));
  const more: PaymentNotification = { ...failed, attemptId: 'one-more' };
  const full = after(...attempts);

  it('stores that it was reached, once, and no further attempt', () => {
    const decision = decide(full, more, CONTEXT);
    expect(decision).toMatchObject({ kind: 'over-limit', mustComeAgain: false, events: [{ type: 'PaymentNotificationsLimited', data: { payNo: 'p1', orderId: 'o1', account: 'main', events: ATTEMPTS_LIMIT } }] });
    const limited = after(...attempts, more);
    expect(limited.length).toBe(full.length + 1);
    expect(decide(limited, { ...more, attemptId: 'yet-another' }, CONTEXT)).toEqual({ kind: 'over-limit', mustComeAgain: false, events: [] });
  });

  it('keeps nothing that moves money from being stored, and what is known from being known', () => {
    expect(decide(full, success, CONTEXT)).toMatchObject({ kind: 'append', events: [{ type: 'PaymentSucceeded' }] });
    expect(decide(full, closed, CONTEXT)).toMatchObject({ kind: 'append', events: [{ type: 'PaymentClosed' }] });
    expect(decide(full, attempts[0] as PaymentNotification, CONTEXT)).toEqual({ kind: 'duplicate', of: 'fact' });
  });

  it('asks for money to be told again where even that limit is reached', () => {
    const refunds = Array.from({ length: FACTS_LIMIT }, (_, index): PaymentEvent => ({
      type: 'PaymentRefunded',
      data: { ...request, ...about, refundId: `r${index}`, refundAmount: '1', toldTotal: null, refundedAt: NOW.toISOString(), toldBefore: 0, refundedTotal: String(index + 1), refundDue: '0' },
    }));
    expect(decide([...after(success), ...refunds], { ...refund, refundId: 'new', refundAmount: '1' }, CONTEXT)).toMatchObject({ kind: 'over-limit', mustComeAgain: true });
  });

  it('is counted by account: another one of the payment has its own', () => {
    expect(decide(full, { ...more, account: 'second' }, CONTEXT)).toMatchObject({ kind: 'append', events: [{ type: 'PaymentNotificationRejected' }] });
  });
});

describe('a refund of a release that kept one sum only', () => {
  const old = (change: object): PaymentEvent => ({ type: 'PaymentRefunded', data: upcast('PaymentRefunded', 1, { ...request, ...about, refundedAt: refund.refundedAt, ...change }) as never });
  const total = (...events: readonly PaymentEvent[]): bigint => netTotal(fold([...after(success), ...events]).returned);

  it('counts as it did, and is known by its id', () => {
    const first = old({ refundId: 'r1', refundAmount: '500', refundedTotal: '500' });
    expect(total(first, old({ refundId: 'r2', refundAmount: '700', refundedTotal: '1200' }))).toBe(1200n);
    expect(total(old({ refundId: 'r1', refundAmount: null, refundedTotal: '900' }))).toBe(900n);
    expect(decide([...after(success), first], { ...refund, notificationId: 'n9' }, CONTEXT)).toEqual({ kind: 'duplicate', of: 'fact' });
    expect(decide([...after(success), first], failedAgain, CONTEXT)).toMatchObject({ events: [{ type: 'PaymentRefundFailed', data: { refundedTotal: '0', refundDue: '500' } }] });
  });

  it('keeps a sum that was told beside a single amount', () => {
    expect(total(old({ refundId: 'r1', refundAmount: '500', refundedTotal: '1500' }))).toBe(1500n);
  });
});

describe('what is to be given back again', () => {
  const at = (minute: number): string => new Date(NOW.getTime() + minute * 60_000).toISOString();
  const done = (refundId: string, amount: string, minute: number): PaymentNotification => ({ ...refund, refundId, refundAmount: amount, refundedAt: at(minute) });
  const fails = (refundId: string, amount: string, minute: number, initiated?: number): PaymentNotification => ({
    ...refundFailed, refundId, refundAmount: amount, failedAt: at(minute), ...(initiated === undefined ? {} : { initiatedAt: at(initiated) }),
  });
  const due = (...notifications: readonly PaymentNotification[]): bigint => refundDue(fold(after(success, ...notifications)).returned, 1999n);

  it.each<[string, PaymentNotification[], bigint]>([
    ['nothing has failed', [done('a', '500', 1)], 0n],
    ['one has failed', [done('a', '500', 1), fails('a', '500', 2)], 500n],
    ['it was made again', [done('a', '500', 1), fails('a', '500', 2), done('b', '500', 3)], 0n],
    ['it was made again in part', [done('a', '500', 1), fails('a', '500', 2), done('b', '200', 3)], 300n],
    ['it was made again, which failed, too', [done('a', '500', 1), fails('a', '500', 2), done('b', '500', 3), fails('b', '500', 4)], 500n],
    ['it was made again, which failed before it was told as done', [done('a', '500', 1), fails('a', '500', 2), fails('b', '500', 4, 3)], 500n],
    ['another one stands', [done('a', '500', 1), done('b', '700', 1), fails('a', '500', 2)], 500n],
    ['two have failed', [done('a', '500', 1), done('b', '700', 1), fails('a', '500', 2), fails('b', '700', 2)], 1200n],
    ['a sum says that it was made again', [done('a', '500', 1), fails('a', '500', 2), { ...sum, refundId: null, refundedAt: at(3) }], 0n],
    ['one has failed in the second in which it was made', [done('a', '500', 2), fails('a', '500', 2, 2)], 500n],
    ['all was given back by another way', [done('a', '1999', 1), fails('a', '1999', 2), withdrawn], 0n],
  ])('%s', (_case, notifications, expected) => {
    expect(due(...notifications)).toBe(expected);
    expect(due(...notifications.toReversed())).toBe(expected);
  });
});
