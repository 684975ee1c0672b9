import { PROBLEM_MEDIA_TYPE, problem } from '../../../platform/http/problem.ts';
import { RETRY_AFTER_SECONDS, STATUS_BY_OUTCOME, type Answer, type ReceiveOutcome } from './provider.ts';

type Refusal = Exclude<ReceiveOutcome, 'stored' | 'rejected' | 'kept' | 'duplicate' | 'not-handled' | 'over-limit'>;

/** The 401 is the same for every cause: a reason would tell a forger what to change. */
const REFUSALS: Readonly<Record<Refusal, { code: string; detail?: string }>> = {
  refused: { code: 'webhook-refused' },
  malformed: { code: 'webhook-malformed', detail: 'The notification is genuine, but not in the agreed format.' },
  'too-large': { code: 'body-too-large', detail: 'The body is larger than this route takes.' },
  'unknown-payment': { code: 'payment-unknown', detail: 'This payment is not known here yet. Send the notification again later.' },
  unavailable: { code: 'webhook-not-stored', detail: 'The notification could not be stored just now. Send it again later.' },
};

/** Answers for providers that go by the HTTP status: JSON with the outcome, or an RFC 9457 problem document. */
export function problemAnswer(outcome: ReceiveOutcome, traceId: string): Answer {
  const status = STATUS_BY_OUTCOME[outcome];
  const refusal = outcome in REFUSALS ? REFUSALS[outcome as Refusal] : undefined;
  if (refusal === undefined) {
    return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify({ outcome }) };
  }
  return {
    status,
    headers: { 'content-type': PROBLEM_MEDIA_TYPE, ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}) },
    body: JSON.stringify(problem(status, refusal.code, refusal.detail, traceId)),
  };
}
