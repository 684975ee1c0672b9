import { RequestError } from '../../contracts/errors.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';

export interface Action {
  /** Name of the operator's token. */
  readonly actor: string;
  /** Noun.verb, e.g. `replay.start`. */
  readonly action: string;
  /** What it was done to: an id. */
  readonly target: string;
  /** JSON of what was asked for. */
  readonly detail: object;
}

export interface ActionRecord {
  /** Writes the result within the transaction that makes the change: neither is ever there without the other. */
  readonly conclude: (transaction: Transaction, result: string) => Promise<void>;
}

const STARTED = 'started';

/**
 * Order: row "started" → change and result in one transaction, where the change is one of the database's → the result, where
 * it is not written yet. The row comes first, so that no action goes unrecorded: without a database there is no action, and
 * one that is cut off by a crash before its change stays visible as "started".
 * @param resultOf word for the outcome of the action, e.g. `applied`.
 */
export async function recordAction<T>(db: Database, { actor, action, target, detail }: Action, work: (record: ActionRecord) => Promise<T>, resultOf: (value: T) => string): Promise<T> {
  const { id } = await db.adminAction.create({ data: { actor, action, target, detail, result: STARTED }, select: { id: true } });
  // One that was concluded with the change stays as it is, whatever comes after; one whose transaction was rolled back is "started" again.
  const conclude = (on: Database | Transaction, result: string) => on.adminAction.updateMany({ where: { id, result: STARTED }, data: { result } });
  const record: ActionRecord = { conclude: async (transaction, result) => void (await conclude(transaction, result)) };
  let value: T;
  try {
    value = await work(record);
  } catch (error) {
    // The caller is to see the error of the action, not of the record; the row then stays at "started".
    await conclude(db, `failed: ${wordFor(error)}`).catch(() => undefined);
    throw error;
  }
  // What was done is done: a record that cannot be concluded must not make it look failed, to the caller or in the table.
  await conclude(db, resultOf(value)).catch(() => undefined);
  return value;
}

function wordFor(error: unknown): string {
  if (error instanceof RequestError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
