import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import type { NotificationRecord } from '../../generated/prisma/client.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { isDatabaseUnavailable, type Database } from '../../platform/database/database.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';
import type { Worker } from '../../platform/process/worker.ts';
import type { Arrival, Arrivals } from './arrivals.ts';
import { resolveRow, UNMATCHED_REASONS } from './notification-rows.ts';
import { reevaluate, type KeptNotification, type ReevaluateDeps } from './re-evaluate.ts';
import { withWaitingRow } from './waiting-row.ts';

export interface ReevaluatorDeps extends ReevaluateDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Payments and trades that just became known: what waits for them is due at once. */
  readonly arrivals: Arrivals;
}

const INTERVAL_MS = 1_000;
const BATCH_SIZE_MAX = 50;
/**
 * After the n-th try it waits 2^n seconds, and ten minutes at most. Nobody tells an instance what another one was told, nor one
 * that was just started what came before, so that looking again is what is certain.
 */
const TRY_AGAIN_MAX_SECONDS = 600;
/** Past this age only an operator evaluates it again: no provider tells anything about a payment for longer. */
const TRIED_DAYS_MAX = 30;

/** Evaluates unmatched notifications again: at once when their payment turns up, and now and then in any case. */
export function createReevaluator(deps: ReevaluatorDeps): Worker {
  const { db, log, metrics, arrivals } = deps;
  let trouble: string | null = null;

  async function round(signal: AbortSignal): Promise<void> {
    await makeDue(db, arrivals.take());
    for (let found = BATCH_SIZE_MAX; found === BATCH_SIZE_MAX && !signal.aborted; ) {
      const due = await claimDue(db);
      found = due.length;
      for (const row of due) await tryAgain(row);
    }
    await countWaiting(db, metrics);
  }

  /** One that cannot be evaluated at all must not keep those behind it from their turn: it waits for its next one. */
  async function tryAgain(row: NotificationRecord): Promise<void> {
    try {
      const reevaluation = await withWaitingRow(db, row.eventId, async (waiting, transaction) => {
        const made = await reevaluate(deps, keptOf(waiting), 'paynotify');
        if (made.resolved !== null) await resolveRow(transaction, made.resolved);
        return made;
      });
      // An operator decides about it just now, or has.
      if (reevaluation === null || reevaluation.resolved === null) return;
      const { outcome, resolved } = reevaluation;
      log.info({ event: 'notification.resolved', notificationEventId: row.eventId, payNo: resolved.payNo, outcome });
    } catch (error) {
      if (error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError || isDatabaseUnavailable(error)) throw error;
      log.error({ event: 'notification.not-evaluated', notificationEventId: row.eventId, payNo: row.payNo, err: error });
    }
  }

  return {
    name: 'notification-re-evaluator',
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await round(signal);
          trouble = null;
          failures = 0;
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          if (trouble !== cause) log.warn({ event: 'notification-re-evaluator.waiting', err: error });
          trouble = cause;
          failures++;
        }
        await pause(failures === 0 ? INTERVAL_MS : backoffMs(failures), signal);
      }
    },
    health: () => (trouble === null ? { status: 'ok' } : { status: 'degraded', reason: trouble }),
  };
}

export function keptOf(row: NotificationRecord): KeptNotification {
  const { eventId, stream, provider, account, reason } = row;
  const isRejected = !UNMATCHED_REASONS.has(reason);
  return { eventId, stream, provider, account, isRejected, notification: row.notification as unknown as PaymentNotification | null };
}

async function makeDue(db: Database, arrivals: readonly Arrival[]): Promise<void> {
  if (arrivals.length === 0) return;
  const trades = arrivals.flatMap(({ trade }) => (trade === undefined ? [] : [trade]));
  await db.$executeRaw`
    UPDATE notifications SET next_try_at = now()
    WHERE state = 'unmatched' AND pay_no = ANY(${arrivals.map(({ payNo }) => payNo)}::text[])`;
  await db.$executeRaw`
    UPDATE notifications n SET next_try_at = now()
    FROM unnest(${trades.map(({ provider }) => provider)}::text[], ${trades.map(({ account }) => account)}::text[],
                ${trades.map(({ providerTradeNo }) => providerTradeNo)}::text[]) AS t (provider, account, trade_no)
    WHERE n.state = 'unmatched' AND n.provider = t.provider AND n.account = t.account AND n.provider_trade_no = t.trade_no`;
}

/**
 * A rejected one is due only where a migration says so: what it tells has become an event since. The next try is set before this one: a row whose evaluation kills the process does not come back at once. */
async function claimDue(db: Database): Promise<NotificationRecord[]> {
  const claimed = await db.$queryRaw<{ event_id: string }[]>`
    UPDATE notifications
       SET tries = tries + 1,
           next_try_at = CASE WHEN recorded_at < now() - ${TRIED_DAYS_MAX} * interval '1 day' THEN NULL
                              ELSE now() + LEAST(2 ^ LEAST(tries + 1, 20), ${TRY_AGAIN_MAX_SECONDS}) * interval '1 second' END
     WHERE event_id IN (
       SELECT event_id FROM notifications WHERE state IN ('unmatched', 'rejected') AND next_try_at <= now()
       ORDER BY next_try_at LIMIT ${BATCH_SIZE_MAX} FOR UPDATE SKIP LOCKED)
    RETURNING event_id`;
  return db.notificationRecord.findMany({ where: { eventId: { in: claimed.map(({ event_id }) => event_id) } }, orderBy: [{ generation: 'asc' }, { position: 'asc' }] });
}

async function countWaiting(db: Database, metrics: Metrics): Promise<void> {
  const counted = await db.notificationRecord.groupBy({ by: ['state'], where: { state: { in: ['rejected', 'unmatched'] } }, _count: true });
  for (const state of ['rejected', 'unmatched'] as const) {
    metrics.notificationsWaiting.set({ state }, counted.find((row) => row.state === state)?._count ?? 0);
  }
}
