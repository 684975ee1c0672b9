import type { Database, Transaction } from '../../../platform/database/database.ts';
import { providersByName } from '../providers/registry.ts';
import type { ReceiveOutcome } from '../providers/provider.ts';
import type { Callback } from './callback.ts';
import { isInStore, type NotedCallback } from './callback-buffer.ts';
import { rowId } from './row-id.ts';
import { storableText } from './storable-text.ts';

/** A row of the register. Texts are bounded and can be stored. */
export interface CallbackRow {
  readonly id: string;
  readonly received_at: string;
  readonly provider: string;
  readonly account: string;
  readonly outcome: ReceiveOutcome;
  readonly reason: string | null;
  readonly status: number | null;
  readonly genuine: boolean;
  readonly key_id: string | null;
  readonly notification_id: string | null;
  readonly provider_type: string | null;
  readonly kind: string | null;
  readonly pay_no: string | null;
  readonly provider_trade_no: string | null;
  readonly body_bytes: number | null;
  readonly trace_id: string | null;
  readonly source: 'received' | 'event-store';
  readonly times: number;
}

/** By what a callback that made an event and the event that it made know each other. */
export type FactOfCallback = Pick<Callback, 'provider' | 'account' | 'notificationId' | 'traceId' | 'outcome' | 'kind' | 'factId' | 'providerTradeNo'>;

/** The payment's number is no part of it: of a callback that names only its trade, the event alone knows the payment. */
export function factOfCallbackId({ provider, account, notificationId, traceId, outcome, kind, factId, providerTradeNo }: FactOfCallback): string {
  return rowId([provider, account, notificationId ?? '', traceId, outcome, kind ?? '', factId ?? '', providerTradeNo ?? '']);
}

/** @param instance of this process, so that what two of them have noted is never taken for the same. */
export function rowOf(noted: NotedCallback, instance: string): CallbackRow {
  const { provider, account, outcome, answered = outcome, bodyBytes } = noted;
  return {
    id: isInStore(noted) ? factOfCallbackId(noted) : rowId([instance, String(noted.seq)]),
    received_at: noted.receivedAt.toISOString(),
    ...{ provider, account, outcome },
    reason: storableText(noted.reason),
    status: noted.status ?? providersByName.get(provider)?.answer(answered, '').status ?? null,
    genuine: noted.keyId !== null,
    key_id: storableText(noted.keyId),
    notification_id: storableText(noted.notificationId),
    provider_type: storableText(noted.providerType),
    kind: noted.kind,
    pay_no: storableText(noted.payNo),
    provider_trade_no: storableText(noted.providerTradeNo),
    body_bytes: Math.min(bodyBytes, INTEGER_MAX),
    trace_id: noted.traceId,
    source: 'received',
    times: Math.min(noted.times, INTEGER_MAX),
  };
}

/** PostgreSQL's; what a request says of its own length may be more. */
const INTEGER_MAX = 2 ** 31 - 1;

/**
 * Writes rows, of which any may be there already: written before an unknown outcome, or taken up from the event store. Of
 * one callback, what was received and what the store says complete each other. In one order, so that two writers never wait
 * for each other.
 */
export async function writeCallbacks(db: Database | Transaction, rows: readonly CallbackRow[]): Promise<void> {
  const byId = [...new Map(rows.map((row) => [row.id, row])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (byId.length === 0) return;
  await db.$executeRaw`
    INSERT INTO webhook_callbacks AS c
    SELECT r.* FROM json_populate_recordset(NULL::webhook_callbacks, ${JSON.stringify(byId)}::json) AS r
    ON CONFLICT (id) DO UPDATE SET
      source = 'received',
      status = COALESCE(c.status, EXCLUDED.status),
      key_id = COALESCE(c.key_id, EXCLUDED.key_id),
      provider_type = COALESCE(c.provider_type, EXCLUDED.provider_type),
      body_bytes = COALESCE(c.body_bytes, EXCLUDED.body_bytes),
      reason = COALESCE(c.reason, EXCLUDED.reason),
      pay_no = COALESCE(c.pay_no, EXCLUDED.pay_no),
      received_at = LEAST(c.received_at, EXCLUDED.received_at)
    WHERE c.source <> EXCLUDED.source
      AND (EXCLUDED.source = 'received' OR (c.reason IS NULL AND EXCLUDED.reason IS NOT NULL) OR (c.pay_no IS NULL AND EXCLUDED.pay_no IS NOT NULL))`;
}
