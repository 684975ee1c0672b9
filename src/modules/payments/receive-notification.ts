import { paymentStream, type PaymentEvent } from '../../contracts/payment-events.ts';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import type { ReachWindow } from '../../platform/process/window.ts';
import { decide } from './decide.ts';
import type { Notification, SuccessNotification } from './providers/notification.ts';
import { readPayment, toNewEvent, type Cause, type PaymentHistory } from './payment-stream.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import type { ReceiveOutcome, RefusalReason, WebhookRequest } from './providers/provider.ts';
import type { RecentPayments } from './recent-payments.ts';
import { createRefusalLog } from './refusal-log.ts';
import { keepUnmatched } from './unmatched.ts';

export interface ReceiveDeps {
  /** Nothing but the event store: a webhook is accepted while the database and the broker are away. */
  readonly store: Pick<EventStore, 'readStream' | 'append'>;
  readonly accounts: ProviderAccounts;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly reach: ReachWindow;
  readonly now: () => Date;
  /** Shared with whoever requests payments, so that a payment's first notification needs no read. */
  readonly recent: RecentPayments;
}

export interface ReceiveRequest extends WebhookRequest {
  readonly provider: string;
  readonly account: string;
  readonly traceId: string;
}

export type ReceiveNotification = (request: ReceiveRequest) => Promise<ReceiveOutcome>;

/** All store calls of one webhook together. Leaves time to answer before the server's own limit of 3.8 s. */
export const RECEIVE_DEADLINE_MS = 3_300;
/**
 * A conflict means that another notification of this payment was stored in between. A payment has a handful of facts,
 * so ever new conflicts are a storm; the provider will send again.
 */
const DECISIONS_MAX = 8;

/**
 * The order here: verify → read the stream → decide → append at the exact revision → only then report a success. A
 * crash after the append makes the provider send again, and the repeated fact is found in the stream.
 */
export function createReceiveNotification(deps: ReceiveDeps): ReceiveNotification {
  const { accounts, metrics, log, now } = deps;
  const refusals = createRefusalLog(log);

  function refuse(request: ReceiveRequest, reason: RefusalReason): ReceiveOutcome {
    // Names from the path are the caller's choice; as labels they would let a stranger fill the memory.
    const isKnown = reason !== 'unknown-account';
    const labels = isKnown ? { provider: request.provider, account: request.account } : { provider: 'unknown', account: 'unknown' };
    metrics.webhookRefused.inc({ ...labels, reason });
    metrics.webhooks.inc({ ...labels, outcome: 'refused' });
    refusals.note({ ...labels, reason, traceId: request.traceId });
    return 'refused';
  }

  return async (request) => {
    const startedAt = performance.now();
    const account = accounts.find(request.provider, request.account);
    if (account === null) return refuse(request, 'unknown-account');
    const verification = account.verify(request, now());
    if (verification.outcome === 'refused') return refuse(request, verification.reason);
    const reading = verification.read();
    const line = { provider: request.provider, account: request.account, keyId: verification.keyId, traceId: request.traceId };
    let outcome: ReceiveOutcome = 'malformed';
    if (reading.outcome === 'malformed') {
      log.error({ event: 'webhook.malformed', ...line, field: reading.field });
    } else {
      const { notification } = reading;
      outcome = await store(deps, notification, { causationId: notification.notificationId, traceId: request.traceId });
      logReceived(log, { ...line, outcome, ...idsOf(notification), durationMs: Math.round(performance.now() - startedAt) });
      if (outcome === 'not-handled') metrics.webhookNotHandled.inc({ provider: request.provider, type: notification.providerType });
    }
    metrics.webhooks.inc({ provider: request.provider, account: request.account, outcome });
    metrics.webhookSeconds.observe({ provider: request.provider }, (performance.now() - startedAt) / 1000);
    return outcome;
  };
}

/** Expected failures of the store become `unavailable`; anything else is a bug and is thrown. */
async function store(deps: ReceiveDeps, notification: Notification, cause: Cause): Promise<ReceiveOutcome> {
  if (notification.kind === 'not-handled') return 'not-handled';
  try {
    return await decideAndAppend(deps, notification, cause);
  } catch (error) {
    deps.recent.drop(notification.payNo);
    if (!(error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError)) throw error;
    deps.log.warn({ event: 'webhook.unavailable', payNo: notification.payNo, traceId: cause.traceId, reason: error.message });
    return 'unavailable';
  }
}

async function decideAndAppend(deps: ReceiveDeps, notification: SuccessNotification, cause: Cause): Promise<ReceiveOutcome> {
  const { payNo } = notification;
  const { recent } = deps;
  const endsAt = performance.now() + RECEIVE_DEADLINE_MS;
  const timeLeftMs = (): number => Math.max(1, endsAt - performance.now());
  for (let decisions = 0; decisions < DECISIONS_MAX; decisions++) {
    const history = recent.get(payNo) ?? (await readPayment(deps.store, payNo, timeLeftMs()));
    const decision = decide(history.events, notification, deps.now());
    if (decision.kind === 'unknown-payment') {
      await keepUnmatched(deps.store, notification, cause, deps.now(), timeLeftMs());
      return 'unknown-payment';
    }
    if (decision.kind !== 'append') {
      recent.keep(payNo, history);
      return decision.kind;
    }
    if (await appendDecided(deps, history, decision.event, cause, timeLeftMs())) {
      return decision.event.type === 'PaymentNotificationRejected' ? 'rejected' : 'stored';
    }
    recent.drop(payNo);
  }
  throw new DependencyUnavailableError('event-store', `payment ${payNo} changed ${DECISIONS_MAX} times while it was decided on`);
}

/** @returns false when somebody else appended first. */
async function appendDecided(deps: ReceiveDeps, history: PaymentHistory, event: PaymentEvent, cause: Cause, deadlineMs: number): Promise<boolean> {
  const { payNo } = event.data;
  const startedAt = performance.now();
  const result = await deps.store.append(paymentStream(payNo), [toNewEvent(event, cause)], history.revision, deadlineMs);
  deps.metrics.appendSeconds.observe((performance.now() - startedAt) / 1000);
  if (result.outcome === 'conflict') return false;
  deps.reach('payment.appended', payNo);
  deps.recent.keep(payNo, { events: [...history.events, event], revision: result.revision });
  return true;
}

function idsOf(notification: Notification): Record<string, string | null> {
  const { payNo, notificationId, providerType } = notification;
  return { payNo, notificationId, providerType };
}

/** A contradiction and an unknown payment are somebody's money in the wrong place: those are for a person to see. */
function logReceived(log: Logger, line: { readonly outcome: ReceiveOutcome } & Record<string, unknown>): void {
  const isForAPerson = line.outcome === 'rejected' || line.outcome === 'unknown-payment';
  log[isForAPerson ? 'warn' : 'info']({ event: 'webhook.received', ...line });
}
