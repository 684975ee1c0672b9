import { AppendOutcomeUnknownError, DamagedStreamError, DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Notification, PaymentNotification } from '../../contracts/payment-notifications.ts';
import { untilAborted, type StreamStore } from '../../platform/event-store/until-aborted.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { createFewLabels } from '../../platform/observe/few-labels.ts';
import { createThrottledLog, type ThrottledLog } from '../../platform/observe/throttled-log.ts';
import type { ReachWindow } from '../../platform/process/window.ts';
import { callbackOf, malformedCallback, refusedCallback, type CallbackLog, type Received } from './callbacks/callback.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { AccountTerms } from './contradiction.ts';
import { evaluateNotification, type EvaluateDeps, type EvaluateOutcome, type EvaluateRequest } from './evaluate-notification.ts';
import type { Cause } from './payment-stream.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import type { ClockReading, ProviderAccount, ReceiveOutcome, RefusalReason, WebhookRequest } from './providers/provider.ts';
import type { RecentPayments } from './recent-payments.ts';
import { keepUnmatched } from './unmatched.ts';

export interface ReceiveDeps {
  /** Nothing but the event store: a webhook is accepted while the database and the broker are away. */
  readonly store: StreamStore;
  readonly accounts: ProviderAccounts;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly reach: ReachWindow;
  readonly now: () => Date;
  /** Shared with whoever requests payments, so that a payment's first notification needs no read. */
  readonly recent: RecentPayments;
  readonly onPaid?: NonNullable<EvaluateDeps['onPaid']>;
  /** Where every callback of a known account is noted, to be written down behind the answer. */
  readonly callbacks?: CallbackLog;
  /** Told what genuine notifications say about the clock of this host. */
  readonly clock?: Pick<ClockWatch, 'noteWrong' | 'noteRight'>;
}

export interface ReceiveRequest extends WebhookRequest {
  readonly provider: string;
  readonly account: string;
  readonly traceId: string;
  /** Aborted when nobody waits for the outcome any more. */
  readonly signal?: AbortSignal;
}

export type ReceiveNotification = (request: ReceiveRequest) => Promise<ReceiveOutcome>;

/** All store calls of one webhook together. Leaves time to answer before the server's own limit of 3.8 s. */
export const RECEIVE_DEADLINE_MS = 3_300;

/**
 * Of several facts in one notification, the outcome that asks the provider for most: one that is not stored must come
 * again, and the others are found to be duplicates then.
 */
const OUTCOMES_BY_WEIGHT: readonly ReceiveOutcome[] = ['unavailable', 'unknown-payment', 'kept', 'rejected', 'stored', 'duplicate', 'over-limit', 'not-handled'];

/**
 * The order here: verify → evaluate each fact (read the stream → decide → append at the exact revision) → only then
 * report a success. A crash after the append makes the provider send again, and the repeated fact is found in the stream.
 */
export function createReceiveNotification(deps: ReceiveDeps): ReceiveNotification {
  const { accounts, metrics, log, now } = deps;
  const throttled = createThrottledLog(log);
  const typeLabel = createFewLabels();
  const evaluating: EvaluateDeps = { ...deps, onAppended: (seconds) => metrics.appendSeconds.observe(seconds) };

  function refuse(request: ReceiveRequest, reason: RefusalReason, reading?: ClockReading): ReceiveOutcome {
    if (reading !== undefined) deps.clock?.noteWrong(request.provider, reading);
    // Names from the path are the caller's choice; as labels they would let a stranger fill the memory.
    const isKnown = reason !== 'unknown-account';
    const labels = isKnown ? { provider: request.provider, account: request.account } : { provider: 'unknown', account: 'unknown' };
    metrics.webhookRefused.inc({ ...labels, reason });
    metrics.webhooks.inc({ ...labels, outcome: 'refused' });
    if (isKnown) deps.callbacks?.note(refusedCallback(receivedOf(request, now()), reason));
    throttled.note('warn', `${labels.provider}/${labels.account}/${reason}`, { event: 'webhook.refused', ...labels, reason, ...(reading === undefined ? {} : { clockOffsetSeconds: reading.offsetSeconds }), traceId: request.traceId });
    return 'refused';
  }

  async function receiveAll(account: ProviderAccount, notifications: readonly Notification[], line: Line, endsAt: number, received: Received, signal: AbortSignal | undefined): Promise<ReceiveOutcome> {
    const outcomes: ReceiveOutcome[] = [];
    const store = untilAborted(deps.store, signal);
    for (const notification of notifications) {
      const startedAt = performance.now();
      const outcome = await receiveOne({ ...deps, store, throttled }, { ...evaluating, store }, account, notification, line, endsAt);
      outcomes.push(outcome);
      logReceived(log, { ...line, outcome, ...idsOf(notification), durationMs: Math.round(performance.now() - startedAt) });
      if (outcome === 'not-handled') metrics.webhookNotHandled.inc({ provider: line.provider, type: typeLabel(line.provider, notification.providerType) });
    }
    const answered = OUTCOMES_BY_WEIGHT.find((outcome) => outcomes.includes(outcome)) ?? 'unavailable';
    notifications.forEach((notification, n) => deps.callbacks?.note(callbackOf(received, line.keyId, notification, outcomes[n] ?? answered, answered)));
    return answered;
  }

  return async (request) => {
    const startedAt = performance.now();
    const received = receivedOf(request, now());
    const account = accounts.find(request.provider, request.account);
    if (account === null) return refuse(request, 'unknown-account');
    const verification = account.verify(request, now());
    if (verification.outcome === 'refused') return refuse(request, verification.reason, verification.clock);
    if (verification.clock !== undefined) deps.clock?.noteRight(request.provider, verification.clock);
    const reading = verification.read();
    const line = { provider: request.provider, account: request.account, keyId: verification.keyId, traceId: request.traceId };
    let outcome: ReceiveOutcome = 'malformed';
    if (reading.outcome === 'malformed') {
      log.error({ event: 'webhook.malformed', ...line, field: reading.field, ...(reading.advice === undefined ? {} : { advice: reading.advice }) });
      deps.callbacks?.note(malformedCallback(received, line.keyId, reading.field));
    } else outcome = await receiveAll(account, reading.notifications, line, startedAt + RECEIVE_DEADLINE_MS, received, request.signal);
    metrics.webhooks.inc({ provider: request.provider, account: request.account, outcome });
    metrics.webhookSeconds.observe({ provider: request.provider }, (performance.now() - startedAt) / 1000);
    return outcome;
  };
}

/** What all log lines of one webhook carry. */
interface Line {
  readonly provider: string;
  readonly account: string;
  readonly keyId: string;
  readonly traceId: string;
}

/** Expected failures of the store become `unavailable`; anything else is a bug and is thrown. */
async function receiveOne(deps: ReceiveDeps & { readonly throttled: ThrottledLog }, evaluating: EvaluateDeps, terms: AccountTerms, notification: Notification, { traceId }: Line, endsAt: number): Promise<ReceiveOutcome> {
  if (notification.kind === 'not-handled') return 'not-handled';
  const cause = { causationId: notification.notificationId, traceId };
  const timeLeftMs = (): number => Math.max(1, endsAt - performance.now());
  try {
    const outcome = await evaluateOrDamage(evaluating, { notification, terms, cause, deadlineMs: timeLeftMs() });
    if (outcome instanceof DamagedStreamError) return await keepDamaged(deps, notification, cause, timeLeftMs(), outcome, traceId);
    if (outcome === 'over-limit-of-money') return overLimit(deps, notification, traceId);
    if (outcome !== 'unknown-payment' && outcome !== 'unknown-trade') return outcome;
    return await keep(deps, notification, cause, timeLeftMs());
  } catch (error) {
    if (!(error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError || error instanceof DamagedStreamError)) throw error;
    deps.throttled.note('warn', error.code, { event: 'webhook.unavailable', payNo: notification.payNo, traceId, reason: error.message });
    return 'unavailable';
  }
}

async function evaluateOrDamage(evaluating: EvaluateDeps, request: EvaluateRequest): Promise<EvaluateOutcome | DamagedStreamError> {
  try {
    return await evaluateNotification(evaluating, request);
  } catch (error) {
    if (error instanceof DamagedStreamError) return error;
    throw error;
  }
}

/** Telling it again would mend nothing, so it is not asked for: the notification is kept until a person has seen to the stream. */
async function keepDamaged({ store, now, log }: ReceiveDeps, notification: PaymentNotification, cause: Cause, deadlineMs: number, damage: DamagedStreamError, traceId: string): Promise<ReceiveOutcome> {
  await keepUnmatched(store, notification, cause, now(), deadlineMs, damage.message);
  log.error({ event: 'payment.stream-damaged', payNo: notification.payNo, stream: damage.stream, reason: damage.message, traceId });
  return 'kept';
}

function overLimit({ throttled }: { readonly throttled: ThrottledLog }, { payNo, provider, account }: PaymentNotification, traceId: string): ReceiveOutcome {
  throttled.note('error', 'webhook.over-limit', { event: 'webhook.over-limit', provider, account, payNo, traceId });
  return 'unavailable';
}

/**
 * A payment that is not known yet is about to be requested: the provider is asked to tell again. A trade that is not
 * known may be that of somebody else at the same account, and asking again would go on for days; it is ours to watch.
 */
async function keep({ store, now }: ReceiveDeps, notification: PaymentNotification, cause: Cause, deadlineMs: number): Promise<ReceiveOutcome> {
  await keepUnmatched(store, notification, cause, now(), deadlineMs);
  return notification.payNo === null ? 'kept' : 'unknown-payment';
}

function receivedOf({ provider, account, traceId, body }: ReceiveRequest, receivedAt: Date): Received {
  return { provider, account, traceId, bodyBytes: body.length, receivedAt };
}

function idsOf({ payNo, notificationId, providerType }: Notification): Record<string, string | null> {
  return { payNo, notificationId, providerType };
}

/** A contradiction and an unknown payment are somebody's money in the wrong place: those are for a person to see. */
function logReceived(log: Logger, line: { readonly outcome: ReceiveOutcome } & Record<string, unknown>): void {
  const isForAPerson = line.outcome === 'rejected' || line.outcome === 'unknown-payment' || line.outcome === 'kept' || line.outcome === 'over-limit';
  log[isForAPerson ? 'warn' : 'info']({ event: 'webhook.received', ...line });
}
