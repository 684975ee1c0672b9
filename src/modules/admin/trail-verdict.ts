import type { TrailEvent } from './payment-trail.ts';

export interface Verdict {
  /** `attention`: a person has to do something. */
  readonly state: 'nothing-to-deliver' | 'delivering' | 'complete' | 'attention';
  /** For a person. */
  readonly words: string;
}

/** What the payment itself came to, by the newest event that says so. */
const PAYMENT_WORDS: Readonly<Record<string, string>> = {
  PaymentRequested: 'Requested; the provider has reported no result.',
  PaymentAttemptFailed: 'Not paid: an attempt failed.',
  PaymentClosed: 'Closed.',
  PaymentSucceeded: 'Paid.',
  PaymentRefunded: 'Paid and refunded.',
};

/** Pure. */
export function verdictOf(trail: readonly TrailEvent[]): Verdict {
  const payment = trail.map(({ event }) => PAYMENT_WORDS[event.type]).findLast((words) => words !== undefined) ?? 'Nothing was requested.';
  const rejected = trail.filter(({ event }) => event.type === 'PaymentNotificationRejected').length;
  const rejection = rejected === 0 ? [] : [`Rejected notifications that contradict the request: ${rejected}.`];
  const delivery = deliveryOf(trail);
  const state = rejected > 0 ? 'attention' : delivery.state;
  return { state, words: [payment, ...rejection, delivery.words].join(' ') };
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
