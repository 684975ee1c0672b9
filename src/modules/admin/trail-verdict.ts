import { RESOLVED_EVENT_TYPE, type PaymentDisputed, type PaymentNotificationResolved, type PaymentRefunded } from '../../contracts/payment-events.ts';
import { MONEY_RETURNED_TYPES } from '../../contracts/payment-messages.ts';
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
  const rejection = waiting.length === 0 ? [] : [`Rejected notifications that contradict what is known: ${waiting.length} (${[...new Set(waiting)].join(', ')}).`];
  const damage = damageWords(trail);
  const delivery = deliveryOf(trail);
  const isStopped = mismatch !== null && delivery.state === 'delivering';
  const state = waiting.length > 0 || isStopped || damage.length > 0 ? 'attention' : delivery.state;
  return { state, words: [...damage, paymentWords(trail), ...rejection, delivery.words, ...(isStopped ? [mismatch] : [])].join(' ') };
}

/** Cut off by somebody with access to the event store: what is left is not judged. */
function damageWords([first]: readonly TrailEvent[]): string[] {
  return first === undefined || first.event.revision <= 0n ? [] : [`The events in front of revision ${first.event.revision} are gone: the payment's stream was truncated.`];
}

/** What the payment itself came to, by all events together: a closing may come before the money, a failed attempt after. */
function paymentWords(trail: readonly TrailEvent[]): string {
  const told = new Set(trail.map(({ event }) => event.type));
  if (told.has('PaymentSucceeded')) {
    const paid = told.has('PaymentClosed') ? 'Paid after it was closed' : 'Paid';
    const refund = refundWords(trail);
    const { refundDue = '0' } = lastReturned(trail) ?? {};
    // What has come back in full is no longer anybody's work.
    const isWork = (told.has('PaymentClosed') && refund !== REFUNDED_IN_FULL) || refundDue !== '0' || hasDisputeToSettle(trail) || told.has('PaymentNotificationsLimited');
    const again = refundDue === '0' ? '' : ` Of failed refunds ${refundDue} minor units are to be given back again.`;
    return `${paid}${refund}.${again}${told.has('PaymentDisputed') || told.has('PaymentDisputeClosed') ? ' It was disputed.' : ''}${isWork ? ' Unless settled, it is among the work items.' : ''}`;
  }
  if (told.has('PaymentClosed')) return 'Closed unpaid.';
  if (told.has('PaymentAttemptFailed')) return 'Not paid: an attempt failed.';
  return told.has('PaymentRequested') ? 'Requested; the provider has reported no result.' : 'Nothing was requested.';
}

const REFUNDED_IN_FULL = ' and refunded in full';

const RETURNED: ReadonlySet<string> = MONEY_RETURNED_TYPES;

/** The last of them in the stream says what holds. */
function lastReturned(trail: readonly TrailEvent[]): (Pick<PaymentRefunded, 'amount' | 'currency' | 'refundedTotal'> & { readonly refundDue?: string }) | undefined {
  return trail.findLast(({ event }) => RETURNED.has(event.type))?.event.data as Pick<PaymentRefunded, 'amount' | 'currency' | 'refundedTotal'> | undefined;
}

function refundWords(trail: readonly TrailEvent[]): string {
  const last = lastReturned(trail);
  if (last === undefined || last.refundedTotal === '0') return '';
  const { currency, refundedTotal } = last;
  const paid = trail.find(({ event }) => event.type === 'PaymentSucceeded')?.event.data as { readonly paidAmount?: string } | undefined;
  const amount = paid?.paidAmount ?? last.amount;
  return BigInt(refundedTotal) >= BigInt(amount) ? REFUNDED_IN_FULL : ` and partly refunded (${refundedTotal} of ${amount} minor units, ${currency})`;
}

/** One that is open, or lost: that waits until somebody has booked it. The last event of each dispute says how it ended, if it has. */
function hasDisputeToSettle(trail: readonly TrailEvent[]): boolean {
  const outcomes = new Map<string, string | null>();
  for (const { event } of trail.filter(({ event: { type } }) => type === 'PaymentDisputed' || type === 'PaymentDisputeClosed')) {
    const { disputeId, outcome } = event.data as Pick<PaymentDisputed, 'disputeId' | 'outcome'>;
    outcomes.set(disputeId, outcome);
  }
  return [...outcomes.values()].some((outcome) => outcome === null || outcome === 'lost');
}

/** Reasons of those rejected, and not resolved since: by an operator, or because what they waited for came. */
function waitingRejections(trail: readonly TrailEvent[]): string[] {
  const resolved = new Set(trail.flatMap(({ event }) => (event.type === RESOLVED_EVENT_TYPE ? [(event.data as PaymentNotificationResolved).notificationEventId] : [])));
  const waiting = trail.filter(({ event }) => event.type === 'PaymentNotificationRejected' && !resolved.has(event.id));
  return waiting.map(({ event }) => String((event.data as { readonly reason?: unknown }).reason));
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
  const closed = steps.flatMap(({ event, module, step }) => (step.state === 'closed' ? [`${event.type} was closed unapplied for ${module} by ${step.by}: ${step.note}`] : []));
  if (waiting.length === 0) return { state: 'complete', words: ['Every module has done its part.', ...closed].join(' ') };
  const words = waiting.map(({ event, module, checkpoint }) =>
    checkpoint === 'passed' ? `${event.type} was published and waits for ${module}.` : `${event.type} is stored, not proven to be published, and waits for ${module}.`,
  );
  return { state: 'delivering', words: words.join(' ') };
}
