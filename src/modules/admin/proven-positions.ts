import type { ModuleName } from '../../contracts/topology.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import { BEFORE_ALL, behindEvent, type Landmark, type Position } from '../../platform/event-store/position.ts';

/** Up to which place each module is proven to hold every published event, as far as the place belongs to this generation. */
export async function readProven(db: Database, generation: bigint): Promise<ReadonlyMap<ModuleName, Position>> {
  const rows = await db.provenPosition.findMany({ where: { generation } });
  return new Map(rows.map((row) => [row.module as ModuleName, row.commitPosition < 0n ? BEFORE_ALL : { commit: row.commitPosition, prepare: row.preparePosition }]));
}

/** Only the instance that publishes writes it. Writes nothing when a later generation has begun. */
export async function storeProven(db: Database, module: ModuleName, generation: bigint, { commit, prepare }: Position): Promise<void> {
  await db.$executeRaw`
    INSERT INTO proven_positions AS p (module, generation, commit_position, prepare_position) VALUES (${module}, ${generation}, ${commit}, ${prepare})
    ON CONFLICT (module) DO UPDATE
    SET generation = EXCLUDED.generation, commit_position = EXCLUDED.commit_position, prepare_position = EXCLUDED.prepare_position, updated_at = now()
    WHERE p.generation <= EXCLUDED.generation`;
}

/** Part of binding the database to an event store: what a module holds is proven anew behind `landmark`. */
export async function proveFrom(transaction: Transaction, generation: bigint, landmark: Landmark | null): Promise<void> {
  const { commit, prepare } = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
  await transaction.$executeRaw`
    UPDATE proven_positions
    SET generation = ${generation}, updated_at = now(),
        commit_position = CASE WHEN (commit_position, prepare_position) > (${commit}, ${prepare}) THEN ${commit} ELSE commit_position END,
        prepare_position = CASE WHEN (commit_position, prepare_position) > (${commit}, ${prepare}) THEN ${prepare} ELSE prepare_position END`;
}
