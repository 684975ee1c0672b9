import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { recordGeneration } from '../../platform/consumer/generations.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { Landmark } from '../../platform/event-store/position.ts';

/** The event store that this database belongs to. */
export interface Binding {
  readonly storeId: string;
  readonly generation: bigint;
  readonly boundAt: Date;
  /** `paynotify`, or the name of the operator's token. */
  readonly boundBy: string;
}

/** Where everything that remembers a place of the log begins again. */
export interface Beginning {
  readonly generation: bigint;
  /** The last event that counts as dealt with; null = begin before the first. */
  readonly landmark: Landmark | null;
  /** Up to where what modules hold counts as proven; null = it is proven anew from the start of the log. */
  readonly provenTo: Landmark | null;
}

/** Puts one table's places to the beginning, within the transaction of the binding. */
export type BeginAgain = (transaction: Transaction, beginning: Beginning) => Promise<void>;

export async function readBinding(db: Database): Promise<Binding | null> {
  return db.eventStoreBinding.findFirst({ select: { storeId: true, generation: true, boundAt: true, boundBy: true } });
}

type NewBinding = Pick<Binding, 'storeId' | 'generation' | 'boundBy'>;

/**
 * One transaction: the row, and all that remembers a place of the log.
 * @param before what was read; null = no row. @returns false, with nothing written, when somebody else bound it meanwhile.
 */
export function writeBinding(db: Database, before: Binding | null, next: NewBinding, beginning: Omit<Beginning, 'generation'>, beginAgain: readonly BeginAgain[]): Promise<boolean> {
  return db.$transaction(async (transaction) => {
    const rows = before === null ? await insert(transaction, next) : await replace(transaction, before, next);
    if (rows === 0) return false;
    await recordGeneration(transaction, next.generation, before?.generation ?? FIRST_GENERATION, beginning.landmark);
    for (const begin of beginAgain) await begin(transaction, { generation: next.generation, ...beginning });
    return true;
  });
}

function insert(transaction: Transaction, { storeId, generation, boundBy }: NewBinding): Promise<number> {
  return transaction.$executeRaw`
    INSERT INTO event_store_binding (store_id, generation, bound_by) VALUES (${storeId}::uuid, ${generation}, ${boundBy})
    ON CONFLICT DO NOTHING`;
}

function replace(transaction: Transaction, before: Binding, { storeId, generation, boundBy }: NewBinding): Promise<number> {
  return transaction.$executeRaw`
    UPDATE event_store_binding SET store_id = ${storeId}::uuid, generation = ${generation}, bound_by = ${boundBy}, bound_at = now()
    WHERE store_id = ${before.storeId}::uuid AND generation = ${before.generation}`;
}
