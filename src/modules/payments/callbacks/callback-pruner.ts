import type { Database } from '../../../platform/database/database.ts';
import type { Logger } from '../../../platform/observe/logger.ts';
import { pause } from '../../../platform/process/backoff.ts';
import type { Worker } from '../../../platform/process/worker.ts';

export interface CallbackPrunerDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly retentionDays: number;
  /** Rows in all, by default CALLBACK_ROWS_MAX. */
  readonly rowsMax?: number;
  readonly notGenuineMax?: number;
}

/** About half a gigabyte with its indexes. */
export const CALLBACK_ROWS_MAX = 1_000_000;
/** Of one account: enough to see what an integration does wrong. */
export const NOT_GENUINE_ROWS_MAX = 1_000;
const INTERVAL_MS = 60_000;
/** A statement that locks no more than this, so that nobody waits for it. */
const BATCH_SIZE_MAX = 1_000;
/** Between two of them, so that a hundred thousand rows that became too old at once are gone in minutes and nobody notices. */
const BREATH_MS = 100;

/** Keeps the register within its age and its number of rows. */
export function createCallbackPruner({ db, log, retentionDays, rowsMax = CALLBACK_ROWS_MAX, notGenuineMax = NOT_GENUINE_ROWS_MAX }: CallbackPrunerDeps): Worker {
  let trouble: string | null = null;

  async function round(signal: AbortSignal): Promise<void> {
    await inBatches(signal, () => deleteOlder(db, retentionDays));
    const oldest = await firstTooMany(db, rowsMax);
    if (oldest !== null) await inBatches(signal, () => deleteUpTo(db, oldest));
    await inBatches(signal, () => deleteNotGenuine(db, notGenuineMax));
  }

  return {
    name: 'callback-pruner',
    async run(signal) {
      while (!signal.aborted) {
        try {
          await round(signal);
          trouble = null;
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          if (trouble !== cause) log.warn({ event: 'callback-pruner.waiting', err: error });
          trouble = cause;
        }
        await pause(INTERVAL_MS, signal);
      }
    },
    // As the writer's: told, and no reason to be unready.
    health: () => ({ status: 'ok', ...(trouble === null ? {} : { reason: trouble }) }),
  };
}

async function inBatches(signal: AbortSignal, deleteSome: () => Promise<number>): Promise<void> {
  while (!signal.aborted && (await deleteSome()) === BATCH_SIZE_MAX) await pause(BREATH_MS, signal);
}

/** Several instances prune at once: each takes what the others do not hold. */
function deleteOlder(db: Database, retentionDays: number): Promise<number> {
  return db.$executeRaw`
    DELETE FROM webhook_callbacks WHERE id IN (
      SELECT id FROM webhook_callbacks WHERE received_at < now() - ${retentionDays} * interval '1 day'
      ORDER BY received_at LIMIT ${BATCH_SIZE_MAX} FOR UPDATE SKIP LOCKED)`;
}

/** @returns the newest row that is too many; null while there are not more than `rowsMax`. */
async function firstTooMany(db: Database, rowsMax: number): Promise<{ readonly receivedAt: Date; readonly id: string } | null> {
  const [row] = await db.callbackRecord.findMany({ select: { receivedAt: true, id: true }, orderBy: [{ receivedAt: 'desc' }, { id: 'desc' }], skip: rowsMax, take: 1 });
  return row ?? null;
}

function deleteUpTo(db: Database, { receivedAt, id }: { readonly receivedAt: Date; readonly id: string }): Promise<number> {
  return db.$executeRaw`
    DELETE FROM webhook_callbacks WHERE id IN (
      SELECT id FROM webhook_callbacks WHERE (received_at, id) <= (${receivedAt}::timestamptz, ${id}::uuid)
      ORDER BY received_at LIMIT ${BATCH_SIZE_MAX} FOR UPDATE SKIP LOCKED)`;
}

/** Only the newest of each account stay. */
function deleteNotGenuine(db: Database, notGenuineMax: number): Promise<number> {
  return db.$executeRaw`
    DELETE FROM webhook_callbacks WHERE id IN (
      SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY provider, account ORDER BY received_at DESC) AS place FROM webhook_callbacks WHERE NOT genuine) AS listed
      WHERE place > ${notGenuineMax} LIMIT ${BATCH_SIZE_MAX})`;
}
