import { RESOLVED_EVENT_TYPE, type PaymentNotificationResolved, type PaymentRefunded } from '../../contracts/payment-events.ts';
import type { Trail, TrailEvent } from './payment-trail.ts';

export interface Verdict {
  /** `attention`: a person has to do something. */
  readonly state: 'nothing-to-deliver' | 'delivering' | 'complete' | 'attention';
  /** For a person. */
  readonly words: string;
}

/** Pure. */
export function verdictOf({ events: trail, mismatch }: Trail): Verdict {
  const waiting = waitingRejections(trail);
  const rejection = waiting === 0 ? [] : [`Rejected notifications that contradict what is known: ${waiting}.`];
  const delivery = deliveryOf(trail);
  const isStopped = mismatch !== null && delivery.state === 'delivering';
  const state = waiting > 0 || isStopped ? 'attention' : delivery.state;
  return { state, words: [paymentWords(trail), ...rejection, delivery.words, ...(isStopped ? [mismatch] : [])].join(' ') };
}

/** What the payment itself came to, by all events together: a closing may come before the money, a failed attempt after. */
function paymentWords(trail: readonly TrailEvent[]): string {
  const told = new Set(trail.map(({ event }) => event.type));
  if (told.has('PaymentSucceeded')) {
    const paid = told.has('PaymentClosed') ? 'Paid after it was closed' : 'Paid';
    const refund = refundWords(trail);
    // What has come back in full is no longer anybody's work.
    const isWork = told.has('PaymentClosed') && refund !== REFUNDED_IN_FULL;
    return `${paid}${refund}.${isWork ? ' Unless settled, it is among the work items.' : ''}`;
  }
  if (told.has('PaymentClosed')) return 'Closed unpaid.';
  if (told.has('PaymentAttemptFailed')) return 'Not paid: an attempt failed.';
  return told.has('PaymentRequested') ? 'Requested; the provider has reported no result.' : 'Nothing was requested.';
}

const REFUNDED_IN_FULL = ' and refunded in full';

function refundWords(trail: readonly TrailEvent[]): string {
  const refunds = trail.filter(({ event }) => event.type === 'PaymentRefunded').map(({ event }) => event.data as Pick<PaymentRefunded, 'amount' | 'currency' | 'refundedTotal'>);
  const [largest] = refunds.toSorted((a, b) => (BigInt(a.refundedTotal) < BigInt(b.refundedTotal) ? 1 : -1));
  if (largest === undefined) return '';
  const { amount, currency, refundedTotal } = largest;
  return BigInt(refundedTotal) >= BigInt(amount) ? REFUNDED_IN_FULL : ` and partly refunded (${refundedTotal} of ${amount} minor units, ${currency})`;
}

/** Rejected, and not resolved since: by an operator, or because what they waited for came. */
function waitingRejections(trail: readonly TrailEvent[]): number {
  const resolved = new Set(trail.flatMap(({ event }) => (event.type === RESOLVED_EVENT_TYPE ? [(event.data as PaymentNotificationResolved).notificationEventId] : [])));
  return trail.filter(({ event }) => event.type === 'PaymentNotificationRejected' && !resolved.has(event.id)).length;
}

function deliveryOf(trail: readonly TrailEvent[]): Verdict {
  const published = trail.filter(({ checkpoint }) => checkpoint !== 'internal');
  if (published.length === 0) return { state: 'nothing-to-deliver', words: 'There is nothing to deliver to the modules.' };
  const steps = published.flatMap(({ event, modules, checkpoint }) => Object.entries(modules).map(([module, step]) => ({ event, module, step, checkpoint })));
  const parked = steps.flatMap(({ event, module, step }) =>
    step.state === 'parked' ? [`${module} has parked ${event.type} (${step.reason}); redrive ${step.parkedId} when the cause is removed.`] : [],
  );
  if (parked.length > 0) return { state: 'attention', words: parked.join(' ') };
  const waiting = steps.filter(({ step }) => step.state === 'waiting');
  if (waiting.length === 0) return { state: 'complete', words: 'Every module has done its part.' };
  const words = waiting.map(({ event, module, checkpoint }) =>
    checkpoint === 'passed' ? `${event.type} was published and waits for ${module}.` : `${event.type} is stored, not proven to be published, and waits for ${module}.`,
  );
  return { state: 'delivering', words: words.join(' ') };
}
