import type { Replay } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import { modulesOf } from './replay-store.ts';

/** What became of a replay's messages; a message to two modules counts once per module. */
export interface ReplayCounts {
  readonly applied: number;
  readonly alreadyApplied: number;
  readonly ignored: number;
  readonly parked: number;
  readonly failed: number;
}

const NOTHING: ReplayCounts = { applied: 0, alreadyApplied: 0, ignored: 0, parked: 0, failed: 0 };
const COUNTED_AS: Readonly<Record<string, keyof ReplayCounts>> = {
  applied: 'applied',
  'already-applied': 'alreadyApplied',
  ignored: 'ignored',
  parked: 'parked',
  failed: 'failed',
};

export async function countOutcomes(db: Database, replayIds: readonly string[]): Promise<ReadonlyMap<string, ReplayCounts>> {
  const counts = new Map(replayIds.map((id) => [id, { ...NOTHING }]));
  const rows = await db.replayOutcome.groupBy({ by: ['replayId', 'outcome'], where: { replayId: { in: [...replayIds] } }, _count: { _all: true } });
  for (const row of rows) {
    const key = COUNTED_AS[row.outcome];
    const entry = counts.get(row.replayId);
    if (key !== undefined && entry !== undefined) entry[key] += row._count._all;
  }
  return counts;
}

/** Outcomes that are still to come for what was published. Never negative: what is published twice after a crash counts once. */
export function outstandingOf(replay: Pick<Replay, 'published' | 'module'>, counts: ReplayCounts): number {
  const expected = Number(replay.published) * modulesOf(replay).length;
  const arrived = counts.applied + counts.alreadyApplied + counts.ignored + counts.parked;
  return Math.max(0, expected - arrived);
}
