import type { Database, Transaction } from '../database/database.ts';
import type { Landmark } from '../event-store/position.ts';

/*
 * Modules take what was told last in the log by (generation, position). An event that two adoptions of the event store have in
 * common must keep the generation that it was first seen in: sent again under the newer one, an old event would come behind
 * whatever was applied before the adoption.
 */

/** @returns the generation that the event at this place of the log belongs to. */
export type GenerationAt = (position: bigint) => bigint;

/** Part of binding the database to an event store. @param landmark the last event that both have in common; null = none. */
export async function recordGeneration(transaction: Transaction, generation: bigint, follows: bigint, landmark: Landmark | null): Promise<void> {
  if (follows >= generation) return;
  const sharedTo = landmark?.position ?? -1n;
  await transaction.$executeRaw`
    INSERT INTO event_store_generations (generation, follows, shared_to) VALUES (${generation}, ${follows}, ${sharedTo})
    ON CONFLICT (generation) DO UPDATE SET follows = EXCLUDED.follows, shared_to = EXCLUDED.shared_to`;
}

/** @param current generation of the binding. A generation of which nothing is recorded is taken to share nothing. */
export async function readGenerationAt(db: Database, current: bigint): Promise<GenerationAt> {
  const rows = await db.eventStoreGeneration.findMany();
  const byGeneration = new Map(rows.map((row) => [row.generation, row]));
  return (position) => {
    let generation = current;
    for (let row = byGeneration.get(generation); row !== undefined && position <= row.sharedTo; row = byGeneration.get(generation)) generation = row.follows;
    return generation;
  };
}
