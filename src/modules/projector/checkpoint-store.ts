import type { Database, Transaction } from '../../platform/database/database.ts';
import { BEFORE_ALL, behindEvent, type Landmark, type Position } from '../../platform/event-store/position.ts';
import { withinMs } from '../../platform/process/time-limit.ts';
import type { Place } from './confirmed-prefix.ts';

/*
 * One row says how far publishing is proven and who may publish. Each new owner raises the epoch, and every write of an
 * owner names its epoch: the write of an old owner, however late it arrives, matches no row. The lease runs by the
 * database's clock alone; clocks of different machines are never compared.
 *
 * Beside the checkpoint stands a landmark, the last event in front of it that was dealt with: by that the log is known
 * again. An owner begins from the landmark, not from the checkpoint: what lies between the two was none of ours, and only
 * of the landmark can be proven that it is still where it was.
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
  /**
   * Which adoption of the event store the positions belong to; goes into every message. The row carries it too: while an
   * adoption commits, a lease must not be had with the binding before it and the place behind it.
   */
  readonly generation: bigint;
  /** Identity of the event store that the database is bound to. */
  readonly storeId: string;
  /** Stored checkpoint: everything up to here is proven. */
  readonly place: Place;
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
  /** Stores the checkpoint and renews the lease. 'fenced': another owner has it, nothing was written. */
  move(epoch: bigint, place: Place): Promise<'moved' | 'fenced'>;
  /** Gives the lease back, so that the next owner need not wait for its end. */
  release(epoch: bigint): Promise<void>;
}

interface Row {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly store_id: string;
  readonly commit: bigint;
  readonly prepare: bigint;
  readonly landmark_position: bigint | null;
  readonly landmark_event_id: string | null;
  readonly landmark_recorded_at: Date | null;
}

/** @param name of the projector; each has a row of its own. */
export function createCheckpointStore(database: Database, name: string, leaseTtlMs: number = LEASE_TTL_MS): CheckpointStore {
  const bounded = <T>(answer: Promise<T>): Promise<T> => withinMs(ANSWER_TIMEOUT_MS, answer);
  return {
    leaseTtlMs,
    async acquire(owner) {
      await bounded(database.$executeRaw`INSERT INTO checkpoints (name, generation) SELECT ${name}, generation FROM event_store_binding ON CONFLICT DO NOTHING`);
      const [row] = await bounded(database.$queryRaw<Row[]>`
        UPDATE checkpoints
           SET owner = ${owner}, epoch = GREATEST(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
               lease_until = now() + ${leaseTtlMs} * interval '1 millisecond', updated_at = now()
          FROM event_store_binding b
         WHERE name = ${name} AND checkpoints.generation = b.generation AND (lease_until IS NULL OR lease_until < now() OR owner = ${owner})
        RETURNING epoch, b.generation, b.store_id::text, commit_position AS commit, prepare_position AS prepare, landmark_position, landmark_event_id::text, landmark_recorded_at`);
      if (row !== undefined) return { outcome: 'acquired', grant: grantOf(row) };
      const [held] = await bounded(database.$queryRaw<{ owner: string | null }[]>`SELECT owner FROM checkpoints WHERE name = ${name}`);
      return { outcome: 'held', owner: held?.owner ?? 'nobody: the database is bound to no event store yet' };
    },
    async renew(epoch) {
      const rows = await bounded(database.$executeRaw`
        UPDATE checkpoints SET lease_until = now() + ${leaseTtlMs} * interval '1 millisecond'
         WHERE name = ${name} AND epoch = ${epoch}`);
      return rows === 1 ? 'renewed' : 'fenced';
    },
    async move(epoch, { position, landmark }) {
      const rows = await bounded(database.$executeRaw`
        UPDATE checkpoints
           SET commit_position = ${position.commit}, prepare_position = ${position.prepare},
               landmark_position = ${landmark?.position ?? null}, landmark_event_id = ${landmark?.eventId ?? null}::uuid, landmark_recorded_at = ${landmark?.recordedAt ?? null}::timestamptz(3),
               lease_until = now() + ${leaseTtlMs} * interval '1 millisecond', updated_at = now()
         WHERE name = ${name} AND epoch = ${epoch}`);
      return rows === 1 ? 'moved' : 'fenced';
    },
    async release(epoch) {
      await bounded(database.$executeRaw`UPDATE checkpoints SET owner = NULL, lease_until = NULL WHERE name = ${name} AND epoch = ${epoch}`);
    },
  };
}

function grantOf(row: Row): Grant {
  const { epoch, generation, store_id: storeId, commit, prepare, landmark_position: position, landmark_event_id: eventId, landmark_recorded_at: recordedAt } = row;
  return { epoch, generation, storeId, place: { position: positionOf(commit, prepare), landmark: landmarkIn(position, eventId, recordedAt) } };
}

function positionOf(commit: bigint, prepare: bigint): Position {
  return commit < 0n ? BEFORE_ALL : { commit, prepare };
}

function landmarkIn(position: bigint | null, eventId: string | null, recordedAt: Date | null): Landmark | null {
  return position === null || eventId === null ? null : { position, eventId, recordedAt };
}

export interface StoredCheckpoint {
  readonly epoch: bigint;
  readonly place: Place;
  /** Instance that publishes now or did last; null after a clean stop. */
  readonly owner: string | null;
}

/** The stored checkpoint as any instance may read it; null before the first projector ever ran. */
export async function readCheckpoint(database: Database, name: string): Promise<StoredCheckpoint | null> {
  const row = await database.checkpoint.findUnique({ where: { name } });
  if (row === null) return null;
  const place = { position: positionOf(row.commitPosition, row.preparePosition), landmark: landmarkIn(row.landmarkPosition, row.landmarkEventId, row.landmarkRecordedAt) };
  return { place, owner: row.owner, epoch: row.epoch };
}

/** @returns who publishes now, other than `instanceId`; null when nobody does. */
export async function livingOwner(database: Database, name: string, instanceId: string): Promise<string | null> {
  const [row] = await database.$queryRaw<{ owner: string }[]>`
    SELECT owner FROM checkpoints WHERE name = ${name} AND owner <> ${instanceId} AND lease_until > now()`;
  return row?.owner ?? null;
}

/**
 * The database is bound to an event store anew: everything behind `landmark` is published again. The raised epoch fences
 * whoever publishes now, so that nobody stores a place of the store before.
 */
export async function placeCheckpoint(transaction: Transaction, name: string, generation: bigint, landmark: Landmark | null): Promise<void> {
  const { commit, prepare } = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
  await transaction.$executeRaw`
    INSERT INTO checkpoints AS c (name, generation, commit_position, prepare_position, landmark_position, landmark_event_id, landmark_recorded_at)
    VALUES (${name}, ${generation}, ${commit}, ${prepare}, ${landmark?.position ?? null}, ${landmark?.eventId ?? null}::uuid, ${landmark?.recordedAt ?? null}::timestamptz(3))
    ON CONFLICT (name) DO UPDATE
    SET generation = EXCLUDED.generation, commit_position = EXCLUDED.commit_position, prepare_position = EXCLUDED.prepare_position,
        landmark_position = EXCLUDED.landmark_position, landmark_event_id = EXCLUDED.landmark_event_id,
        landmark_recorded_at = EXCLUDED.landmark_recorded_at,
        epoch = GREATEST(c.epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
        owner = NULL, lease_until = NULL, updated_at = now()`;
}
