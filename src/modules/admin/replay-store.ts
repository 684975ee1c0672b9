import type { ModuleName } from '../../contracts/topology.ts';
import { MODULE_NAMES } from '../../contracts/topology.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';

export type ReplayMode = 'missing' | 'reapply';
export type ReplayState = 'running' | 'cancelling' | 'cancelled' | 'completed' | 'failed';

/** How long a runner that says nothing is believed to be alive. Another one takes over after that. */
export const CLAIM_MS = 10_000;

export interface Progress {
  /** Position the runner believes to be stored; if it is not, somebody else goes on with this replay. */
  readonly before: bigint;
  readonly after: bigint;
  readonly published: number;
  readonly skipped: number;
}

/** The modules that a replay sends to. */
export function modulesOf(replay: Pick<Replay, 'module'>): readonly ModuleName[] {
  return replay.module === 'all' ? MODULE_NAMES : [replay.module as ModuleName];
}

/**
 * Claims the oldest replay that has something left to publish and that nobody works on. SKIP LOCKED lets several
 * instances claim at once, each another one.
 */
export async function claimReplay(db: Database, owner: string, claimMs: number, active: readonly string[]): Promise<Replay | null> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    UPDATE replays SET claimed_by = ${owner}, claimed_until = now() + ${claimMs}::int * interval '1 ms'
    WHERE id = (
      SELECT id FROM replays
      WHERE state IN ('running', 'cancelling') AND generation = (SELECT generation FROM event_store_binding) AND (next_position < to_position OR state = 'cancelling')
        AND NOT id = ANY(${active}::text[])
        AND (claimed_until IS NULL OR claimed_until < now() OR claimed_by = ${owner})
      ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id`;
  const id = rows[0]?.id;
  return id === undefined ? null : db.replay.findUnique({ where: { id } });
}

/** Stores progress and prolongs the claim. @returns the state an operator wants, or `lost` when the claim is somebody else's. */
export async function storeProgress(db: Database, id: string, owner: string, claimMs: number, progress: Progress): Promise<ReplayState | 'lost'> {
  const rows = await db.$queryRaw<{ state: ReplayState }[]>`
    UPDATE replays SET next_position = ${progress.after}, published = published + ${progress.published}::int, skipped = skipped + ${progress.skipped}::int,
      claimed_until = now() + ${claimMs}::int * interval '1 ms'
    WHERE id = ${id} AND claimed_by = ${owner} AND next_position = ${progress.before} AND state IN ('running', 'cancelling')
    RETURNING state`;
  return rows[0]?.state ?? 'lost';
}

export function renewClaim(db: Database, id: string, owner: string, claimMs: number, at: bigint): Promise<ReplayState | 'lost'> {
  return storeProgress(db, id, owner, claimMs, { before: at, after: at, published: 0, skipped: 0 });
}

export async function releaseClaim(db: Database, id: string, owner: string): Promise<void> {
  await db.replay.updateMany({ where: { id, claimedBy: owner }, data: { claimedBy: null, claimedUntil: null } });
}

/**
 * Ends a replay that is not over. One whose cancel was accepted ends cancelled, whatever else becomes of it.
 * @param owner only while it is claimed by this runner: one that has lost its claim may not end what another one goes on with.
 */
export async function finishReplay(db: Database, id: string, state: 'cancelled' | 'completed' | 'failed', { error = null, owner = null }: { readonly error?: string | null; readonly owner?: string | null } = {}): Promise<void> {
  await db.$executeRaw`
    UPDATE replays SET state = CASE WHEN state = 'cancelling' THEN 'cancelled' ELSE ${state} END, error = ${error}, finished_at = now(), claimed_by = NULL, claimed_until = NULL
    WHERE id = ${id} AND state IN ('running', 'cancelling') AND (${owner}::text IS NULL OR claimed_by = ${owner})`;
}

/** Messages that no module could read are not sent; they are counted as failed for each module that would have got them. */
export async function recordUnreadable(db: Database, replay: Pick<Replay, 'id' | 'module'>, eventIds: readonly string[]): Promise<void> {
  const data = modulesOf(replay).flatMap((module) => eventIds.map((eventId) => ({ replayId: replay.id, module, eventId, outcome: 'failed' })));
  if (data.length > 0) await db.replayOutcome.createMany({ data, skipDuplicates: true });
}

/**
 * Of several who cancel at once, one does.
 * @returns the state after it: `cancelling` while a runner works on it, `cancelled` otherwise; null when it was over already, or
 * is being cancelled. One whose runner died before it saw the cancel is ended by the next one.
 */
export async function cancelReplay(transaction: Transaction, id: string, by: string): Promise<ReplayState | null> {
  const rows = await transaction.$queryRaw<{ state: ReplayState }[]>`
    UPDATE replays SET state = CASE WHEN claimed_until > now() THEN 'cancelling' ELSE 'cancelled' END,
      finished_at = CASE WHEN claimed_until > now() THEN NULL ELSE now() END, cancelled_by = ${by}, cancelled_at = now()
    WHERE id = ${id} AND (state = 'running' OR (state = 'cancelling' AND (claimed_until > now()) IS NOT TRUE))
    RETURNING state`;
  return rows[0]?.state ?? null;
}

/** Part of binding the database to an event store: the positions of what is unfinished name nothing in it. */
export async function endReplaysBefore(transaction: Transaction, generation: bigint): Promise<void> {
  await transaction.$executeRaw`
    UPDATE replays SET state = CASE WHEN state = 'cancelling' THEN 'cancelled' ELSE 'failed' END, error = 'the event store was adopted anew, and the positions of this replay belong to the one before: ask again',
      finished_at = now(), claimed_by = NULL, claimed_until = NULL
    WHERE state IN ('running', 'cancelling') AND generation < ${generation}`;
}
