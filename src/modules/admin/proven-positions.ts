import type { ModuleName } from '../../contracts/topology.ts';
import type { Database } from '../../platform/database/database.ts';

/** Up to which log position each module is proven to hold every published event. */
export async function readProven(db: Database): Promise<ReadonlyMap<ModuleName, bigint>> {
  const rows = await db.provenPosition.findMany();
  return new Map(rows.map((row) => [row.module as ModuleName, row.commitPosition]));
}

/** Never moves backwards, whoever else writes it. */
export async function storeProven(db: Database, module: ModuleName, position: bigint): Promise<void> {
  await db.$executeRaw`
    INSERT INTO proven_positions (module, commit_position, updated_at) VALUES (${module}, ${position}, now())
    ON CONFLICT (module) DO UPDATE SET commit_position = GREATEST(proven_positions.commit_position, EXCLUDED.commit_position), updated_at = now()`;
}
