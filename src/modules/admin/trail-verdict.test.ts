import { expect, test } from 'vitest';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import type { ModuleStep, TrailEvent } from './payment-trail.ts';
import { verdictOf } from './trail-verdict.ts';

const AT = new Date(0);
const APPLIED: ModuleStep = { state: 'applied', at: AT };
const IGNORED: ModuleStep = { state: 'ignored', at: AT };
const WAITING: ModuleStep = { state: 'waiting' };
const PARKED: ModuleStep = { state: 'parked', at: AT, parkedId: 7n, reason: 'selection-unknown', cause: 'x', attempts: 3 };

const internal = (type: string): TrailEvent => ({ event: { type } as StoredEvent, checkpoint: 'internal', modules: {} });
const published = (type: string, learning: ModuleStep, orders: ModuleStep, checkpoint: 'passed' | 'not-passed' = 'passed'): TrailEvent => ({
  event: { type } as StoredEvent,
  checkpoint,
  modules: { learning, orders },
});
const REQUESTED = internal('PaymentRequested');

test.each<[string, TrailEvent[], string, string]>([
  ['requested only', [REQUESTED], 'nothing-to-deliver', 'Requested; the provider has reported no result. There is nothing to deliver to the modules.'],
  ['stored, not published', [REQUESTED, published('PaymentSucceeded', WAITING, APPLIED, 'not-passed')], 'delivering', 'Paid. PaymentSucceeded is stored, not proven to be published, and waits for learning.'],
  ['published, waiting', [REQUESTED, published('PaymentSucceeded', APPLIED, WAITING)], 'delivering', 'Paid. PaymentSucceeded was published and waits for orders.'],
  ['parked', [REQUESTED, published('PaymentSucceeded', PARKED, WAITING)], 'attention', 'Paid. learning has parked PaymentSucceeded (selection-unknown); redrive 7 when the cause is removed.'],
  ['done', [REQUESTED, published('PaymentSucceeded', IGNORED, APPLIED)], 'complete', 'Paid. Every module has done its part.'],
  ['refunded', [REQUESTED, published('PaymentSucceeded', APPLIED, APPLIED), published('PaymentRefunded', IGNORED, APPLIED)], 'complete', 'Paid and refunded. Every module has done its part.'],
  ['contradicted', [REQUESTED, internal('PaymentNotificationRejected')], 'attention', 'Requested; the provider has reported no result. Rejected notifications that contradict the request: 1. There is nothing to deliver to the modules.'],
])('%s', (_name, trail, state, words) => {
  expect(verdictOf(trail)).toEqual({ state, words });
});
