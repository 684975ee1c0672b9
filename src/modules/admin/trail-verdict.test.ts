import { expect, test } from 'vitest';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import type { ModuleStep, TrailEvent } from './payment-trail.ts';
import { verdictOf } from './trail-verdict.ts';

const AT = new Date(0);
const APPLIED: ModuleStep = { state: 'applied', at: AT };
const IGNORED: ModuleStep = { state: 'ignored', at: AT };
const WAITING: ModuleStep = { state: 'waiting' };
const PARKED: ModuleStep = { state: 'parked', at: AT, parkedId: 7n, reason: 'selection-unknown', cause: 'x', attempts: 3 };

const internal = (type: string, data: object = {}, id = 'e'): TrailEvent => ({ event: { type, data, id, revision: 0n } as StoredEvent, checkpoint: 'internal', modules: {} });
const published = (type: string, learning: ModuleStep, orders: ModuleStep, checkpoint: 'passed' | 'not-passed' = 'passed'): TrailEvent => ({
  event: { type, revision: 0n } as StoredEvent,
  checkpoint,
  modules: { learning, orders },
});
/** Published and applied everywhere. */
const done = (type: string, data: object = {}): TrailEvent => ({ event: { type, data, revision: 0n } as StoredEvent, checkpoint: 'passed', modules: { learning: APPLIED, orders: APPLIED } });
const REQUESTED = internal('PaymentRequested');
const SUCCEEDED = done('PaymentSucceeded');
const CLOSED = done('PaymentClosed');
const refunded = (refundedTotal: string): TrailEvent => done('PaymentRefunded', { amount: '1999', currency: 'CNY', refundedTotal });
const rejected = (id: string): TrailEvent => internal('PaymentNotificationRejected', { reason: 'completed-without-payment' }, id);
const failed = (refundedTotal: string, refundDue: string): TrailEvent => done('PaymentRefundFailed', { amount: '1999', currency: 'CNY', refundedTotal, refundDue });
const disputed = (outcome: string | null): TrailEvent => done('PaymentDisputed', { amount: '1999', currency: 'CNY', disputeId: 'd1', outcome, refundedTotal: '0' });
const ended = (outcome: string, refundedTotal: string): TrailEvent => done('PaymentDisputeClosed', { amount: '1999', currency: 'CNY', disputeId: 'd1', outcome, refundedTotal });
const resolved = (notificationEventId: string): TrailEvent => internal('PaymentNotificationResolved', { notificationEventId });
const DONE = 'Every module has done its part.';
const WORK = 'Unless settled, it is among the work items.';

test.each<[string, TrailEvent[], string, string]>([
  ['requested only', [REQUESTED], 'nothing-to-deliver', 'Requested; the provider has reported no result. There is nothing to deliver to the modules.'],
  ['stored, not published', [REQUESTED, published('PaymentSucceeded', WAITING, APPLIED, 'not-passed')], 'delivering', 'Paid. PaymentSucceeded is stored, not proven to be published, and waits for learning.'],
  ['published, waiting', [REQUESTED, published('PaymentSucceeded', APPLIED, WAITING)], 'delivering', 'Paid. PaymentSucceeded was published and waits for orders.'],
  ['parked', [REQUESTED, published('PaymentSucceeded', PARKED, WAITING)], 'attention', 'Paid. learning has parked PaymentSucceeded (selection-unknown); redrive 7 when the cause is removed.'],
  ['done', [REQUESTED, published('PaymentSucceeded', IGNORED, APPLIED)], 'complete', 'Paid. Every module has done its part.'],
  ['an attempt failed', [REQUESTED, done('PaymentAttemptFailed')], 'complete', `Not paid: an attempt failed. ${DONE}`],
  ['an attempt failed, told after the success', [REQUESTED, SUCCEEDED, done('PaymentAttemptFailed')], 'complete', `Paid. ${DONE}`],
  ['closed', [REQUESTED, done('PaymentAttemptFailed'), CLOSED], 'complete', `Closed unpaid. ${DONE}`],
  ['paid after it was closed', [REQUESTED, CLOSED, SUCCEEDED], 'complete', `Paid after it was closed. ${WORK} ${DONE}`],
  ['paid after it was closed, and partly refunded', [REQUESTED, CLOSED, SUCCEEDED, refunded('1')], 'complete', `Paid after it was closed and partly refunded (1 of 1999 minor units, CNY). ${WORK} ${DONE}`],
  ['paid after it was closed, and refunded', [REQUESTED, CLOSED, SUCCEEDED, refunded('1999')], 'complete', `Paid after it was closed and refunded in full. ${DONE}`],
  ['partly refunded', [REQUESTED, SUCCEEDED, refunded('500'), refunded('1500')], 'complete', `Paid and partly refunded (1500 of 1999 minor units, CNY). ${DONE}`],
  ['refunded in parts', [REQUESTED, SUCCEEDED, refunded('500'), refunded('1999')], 'complete', `Paid and refunded in full. ${DONE}`],
  ['refunded above what was paid', [REQUESTED, SUCCEEDED, refunded('10000')], 'complete', `Paid and refunded in full. ${DONE}`],
  ['refunded, and the refund failed', [REQUESTED, SUCCEEDED, refunded('1999'), failed('0', '1999')], 'complete', `Paid. Of failed refunds 1999 minor units are to be given back again. ${WORK} ${DONE}`],
  ['refunded after a refund had failed', [REQUESTED, SUCCEEDED, refunded('500'), failed('0', '500'), refunded('500')], 'complete', `Paid and partly refunded (500 of 1999 minor units, CNY). ${DONE}`],
  ['less than asked for was paid, and refunded', [REQUESTED, done('PaymentSucceeded', { paidAmount: '1000' }), refunded('1000')], 'complete', `Paid and refunded in full. ${DONE}`],
  ['disputed', [REQUESTED, SUCCEEDED, disputed(null)], 'complete', `Paid. It was disputed. ${WORK} ${DONE}`],
  ['disputed, and lost', [REQUESTED, SUCCEEDED, ended('lost', '1999')], 'complete', `Paid and refunded in full. It was disputed. ${WORK} ${DONE}`],
  ['disputed, and won', [REQUESTED, SUCCEEDED, disputed(null), ended('won', '0')], 'complete', `Paid. It was disputed. ${DONE}`],
  ['disputed, and won, with what was before told behind it', [REQUESTED, SUCCEEDED, ended('won', '0'), disputed('won')], 'complete', `Paid. It was disputed. ${DONE}`],
  ['cut off', [{ ...SUCCEEDED, event: { ...SUCCEEDED.event, revision: 2n } }], 'attention', `The events in front of revision 2 are gone: the payment's stream was truncated. Paid. ${DONE}`],
  ['contradicted', [REQUESTED, rejected('a')], 'attention', 'Requested; the provider has reported no result. Rejected notifications that contradict what is known: 1 (completed-without-payment). There is nothing to deliver to the modules.'],
  ['contradicted twice, once resolved', [REQUESTED, rejected('a'), rejected('b'), SUCCEEDED, resolved('a')], 'attention', `Paid. Rejected notifications that contradict what is known: 1 (completed-without-payment). ${DONE}`],
  ['a refund that waited for the success', [REQUESTED, rejected('a'), SUCCEEDED, refunded('1999'), resolved('a')], 'complete', `Paid and refunded in full. ${DONE}`],
])('%s', (_name, trail, state, words) => {
  expect(verdictOf({ mismatch: null, events: trail })).toEqual({ state, words });
});

test('while the event store is not the bound one, what is on its way waits for a person, and what has arrived does not', () => {
  const waiting = [REQUESTED, published('PaymentSucceeded', WAITING, APPLIED, 'not-passed')];
  expect(verdictOf({ mismatch: 'It is another one.', events: waiting })).toEqual({ state: 'attention', words: 'Paid. PaymentSucceeded is stored, not proven to be published, and waits for learning. It is another one.' });
  expect(verdictOf({ mismatch: 'It is another one.', events: [REQUESTED, SUCCEEDED] })).toEqual({ state: 'complete', words: `Paid. ${DONE}` });
});
