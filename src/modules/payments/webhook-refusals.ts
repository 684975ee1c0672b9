import type { OnRefused, Refusal } from '../../platform/http/answer-with-problems.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { createThrottledLog } from '../../platform/observe/throttled-log.ts';
import { refusedCallback, type CallbackLog } from './callbacks/callback.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import type { ReceiveOutcome } from './providers/provider.ts';
import { webhookPathOf } from './webhook-path.ts';

export interface WebhookRefusalsDeps {
  readonly accounts: ProviderAccounts;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => Date;
  readonly callbacks?: CallbackLog;
}

/** Counts and tells what was refused before it was verified, with whatever status. */
export interface WebhookRefusals {
  /** Of the webhook route. */
  note(refusal: Refusal & { readonly url: string; readonly outcome: ReceiveOutcome; readonly bodyBytes: number }): void;
  /** Of a genuine one that is to be told again, or differently: it was logged with its payment where it was decided. */
  count(path: { readonly provider: string; readonly account: string }, outcome: ReceiveOutcome): void;
  /** Of the server, for all paths; those that are no webhook's are passed over. What had no path yet may have been a webhook, and counts. */
  readonly onRefused: OnRefused;
}

const UNKNOWN = { provider: 'unknown', account: 'unknown' } as const;

export function createWebhookRefusals({ accounts, metrics, log, now, callbacks }: WebhookRefusalsDeps): WebhookRefusals {
  const throttled = createThrottledLog(log);

  /** Names from the path are the caller's choice; as labels they would let a stranger fill the memory. */
  function labelsOf(path: { readonly provider: string; readonly account: string } | null): { readonly provider: string; readonly account: string } {
    return path === null || accounts.find(path.provider, path.account) === null ? UNKNOWN : { provider: path.provider, account: path.account };
  }

  /** @returns whose it was. */
  function tell({ url, status, reason, traceId }: Refusal): { readonly provider: string; readonly account: string } {
    const labels = labelsOf(url === null ? null : webhookPathOf(url));
    metrics.webhookRefused.inc({ ...labels, reason });
    throttled.note(status === 500 ? 'error' : 'warn', `${labels.provider}/${labels.account}/${reason}`, { event: 'webhook.refused', ...labels, reason, status, traceId });
    return labels;
  }

  return {
    note(refusal) {
      const labels = tell(refusal);
      const { traceId, bodyBytes, reason } = refusal;
      // Malformed is what was verified and could not be read; nothing was verified here.
      const outcome = refusal.outcome === 'malformed' ? 'refused' : refusal.outcome;
      metrics.webhooks.inc({ ...labels, outcome });
      if (labels !== UNKNOWN) callbacks?.note(refusedCallback({ ...labels, traceId, bodyBytes, receivedAt: now() }, reason, { outcome, status: refusal.status }));
    },
    count(path, outcome) {
      metrics.webhookRefused.inc({ ...labelsOf(path), reason: outcome });
    },
    onRefused(refusal) {
      if (refusal.url === null || webhookPathOf(refusal.url) !== null) tell(refusal);
    },
  };
}
