import { RequestError } from '../../contracts/errors.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { ReplayRange } from './replay-range.ts';
import type { ActionRecord } from './record-action.ts';

export type NewReplay = ReplayRange & Pick<Replay, 'id' | 'module' | 'mode' | 'generation' | 'ratePerSecond' | 'requestedBy'>;

/** More at once is a mistake rather than a wish. */
const UNFINISHED_MAX = 20;

/**
 * Order: whoever else starts one waits → not too many → the store is still the bound one, and stays it until the commit → the
 * row, and its record.
 * @throws RequestError 409 when too many are not finished, or the event store was adopted since `generation` was read.
 */
export function startReplay(db: Database, wanted: NewReplay, record: ActionRecord): Promise<Replay> {
  return db.$transaction(async (transaction) => {
    // A statement of its own: one that also counts would count as of before the lock was granted.
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('paynotify replays', 0))`;
    await refuseTooMany(transaction);
    await refuseOtherGeneration(transaction, wanted.generation);
    const { id, module, mode, generation, fromPosition, toPosition, payNo, ratePerSecond, requestedBy } = wanted;
    const data = { id, module, mode, generation, fromPosition, toPosition, payNo, ratePerSecond, requestedBy, nextPosition: fromPosition, state: 'running' };
    const replay = await transaction.replay.create({ data });
    await record.conclude(transaction, 'accepted');
    return replay;
  });
}

async function refuseTooMany(transaction: Transaction): Promise<void> {
  const unfinished = await transaction.replay.count({ where: { state: { in: ['running', 'cancelling'] } } });
  if (unfinished >= UNFINISHED_MAX) throw new RequestError(409, 'too-many-replays', `${unfinished} replays are not finished. Cancel some, or wait.`);
}

/** An adoption ends the replays that it finds: one that is written behind it, with positions of the store before, would be run by nobody and ended by nobody. */
async function refuseOtherGeneration(transaction: Transaction, generation: bigint): Promise<void> {
  const [bound] = await transaction.$queryRaw<{ generation: bigint; bound_by: string; bound_at: Date }[]>`SELECT generation, bound_by, bound_at FROM event_store_binding FOR SHARE`;
  if (bound?.generation === generation) return;
  const what = bound === undefined ? 'The database is bound to no event store any more.' : `${bound.bound_by} has adopted the event store anew, at ${bound.bound_at.toISOString()}: positions are others now.`;
  throw new RequestError(409, 'event-store-bound-meanwhile', `${what} Ask again.`);
}
