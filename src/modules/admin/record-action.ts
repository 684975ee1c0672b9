import { RequestError } from '../../contracts/errors.ts';
import type { Database } from '../../platform/database/database.ts';

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

/**
 * Order: row "started" → action → row with its result. The row comes first, so that no action goes unrecorded: without a
 * database there is no action, and one that is cut off by a crash stays visible as "started".
 * @param resultOf word for the outcome of the action, e.g. `applied`.
 */
export async function recordAction<T>(db: Database, { actor, action, target, detail }: Action, work: () => Promise<T>, resultOf: (value: T) => string): Promise<T> {
  const { id } = await db.adminAction.create({ data: { actor, action, target, detail, result: 'started' }, select: { id: true } });
  const conclude = (result: string) => db.adminAction.update({ where: { id }, data: { result } });
  let value: T;
  try {
    value = await work();
  } catch (error) {
    // The caller is to see the error of the action, not of the record; the row then stays at "started".
    await conclude(`failed: ${wordFor(error)}`).catch(() => undefined);
    throw error;
  }
  // What was done is done: a record that cannot be concluded must not make it look failed, to the caller or in the table.
  await conclude(resultOf(value)).catch(() => undefined);
  return value;
}

function wordFor(error: unknown): string {
  if (error instanceof RequestError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
