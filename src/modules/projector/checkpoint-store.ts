import type { Database } from '../../platform/database/database.ts';
import { withinMs } from '../../platform/process/time-limit.ts';

/*
 * One row says how far publishing is proven and who may publish. Each new owner raises the epoch, and every write of an
 * owner names its epoch: the write of an old owner, however late it arrives, matches no row. The checkpoint only grows.
 * The lease runs by the database's clock alone; clocks of different machines are never compared.
 */

/** How long a dead owner keeps the others waiting. Three renewals fit into it. */
export const LEASE_TTL_MS = 10_000;
/** A database that is frozen answers nothing, without an error. */
const ANSWER_TIMEOUT_MS = 5000;

export interface Grant {
  /**
   * Raised by each acquisition, to the time in milliseconds: also after the row was deleted or the database restored from
   * a backup, no two tenures have the same one.
   */
  readonly epoch: bigint;
  /** Stored checkpoint: everything up to here is proven; -1n = nothing. */
  readonly position: bigint;
}

export type Acquisition = { readonly outcome: 'acquired'; readonly grant: Grant } | { readonly outcome: 'held'; readonly owner: string };

/** Every method rejects when the database is away or does not answer in time; nothing is known about the write then. */
export interface CheckpointStore {
  readonly leaseTtlMs: number;
  /**
   * Takes the lease if it is free, over, or our own from before a crash: `owner` must be such that no two living
   * processes share it. If two do all the same, they take the lease from each other in turn, and the epoch still fences.
   */
  acquire(owner: string): Promise<Acquisition>;
  renew(epoch: bigint): Promise<'renewed' | 'fenced'>;
  /** Stores the checkpoint (never backwards) and renews the lease. 'fenced': another owner has it, nothing was written. */
  move(epoch: bigint, position: bigint): Promise<'moved' | 'fenced'>;
  /** Gives the lease back, so that the next owner need not wait for its end. */
  release(epoch: bigint): Promise<void>;
}

interface Row {
  readonly epoch: bigint;
  readonly position: bigint;
}

/** @param name of the projector; each has a row of its own. */
export function createCheckpointStore(database: Database, name: string, leaseTtlMs: number = LEASE_TTL_MS): CheckpointStore {
  const bounded = <T>(answer: Promise<T>): Promise<T> => withinMs(ANSWER_TIMEOUT_MS, answer);
  return {
    leaseTtlMs,
    async acquire(owner) {
      await bounded(database.$executeRaw`INSERT INTO checkpoints (name) VALUES (${name}) ON CONFLICT DO NOTHING`);
      const [grant] = await bounded(database.$queryRaw<Row[]>`
        UPDATE checkpoints
           SET owner = ${owner}, epoch = GREATEST(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
               lease_until = now() + ${leaseTtlMs} * interval '1 millisecond', updated_at = now()
         WHERE name = ${name} AND (lease_until IS NULL OR lease_until < now() OR owner = ${owner})
        RETURNING epoch, commit_position AS position`);
      if (grant !== undefined) return { outcome: 'acquired', grant };
      const [held] = await bounded(database.$queryRaw<{ owner: string | null }[]>`SELECT owner FROM checkpoints WHERE name = ${name}`);
      return { outcome: 'held', owner: held?.owner ?? 'unknown' };
    },
    async renew(epoch) {
      const rows = await bounded(database.$executeRaw`
        UPDATE checkpoints SET lease_until = now() + ${leaseTtlMs} * interval '1 millisecond'
         WHERE name = ${name} AND epoch = ${epoch}`);
      return rows === 1 ? 'renewed' : 'fenced';
    },
    async move(epoch, position) {
      const rows = await bounded(database.$executeRaw`
        UPDATE checkpoints
           SET commit_position = GREATEST(commit_position, ${position}),
               lease_until = now() + ${leaseTtlMs} * interval '1 millisecond', updated_at = now()
         WHERE name = ${name} AND epoch = ${epoch}`);
      return rows === 1 ? 'moved' : 'fenced';
    },
    async release(epoch) {
      await bounded(database.$executeRaw`UPDATE checkpoints SET owner = NULL, lease_until = NULL WHERE name = ${name} AND epoch = ${epoch}`);
    },
  };
}

export interface StoredCheckpoint extends Grant {
  /** Instance that publishes now or did last; null after a clean stop. */
  readonly owner: string | null;
}

/** The stored checkpoint as any instance may read it; null before the first projector ever ran. */
export async function readCheckpoint(database: Database, name: string): Promise<StoredCheckpoint | null> {
  const row = await database.checkpoint.findUnique({ where: { name } });
  return row === null ? null : { position: row.commitPosition, owner: row.owner, epoch: row.epoch };
}
