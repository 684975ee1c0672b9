import type { ModuleName } from '../../contracts/topology.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import type { Transaction } from '../database/database.ts';
import { fromParked, isReadable } from './delivery.ts';
import { closeInLedger } from './ledger.ts';
import { lockModule } from './module-lock.ts';
import { ParkReason } from './outcome.ts';
import { refreshParkedGauge } from './park.ts';
import { redriveFollowers, resolvedBefore, rethrow, type FollowerOutcome, type RedriveDependencies, type ResolvedBefore, type Resolving } from './parked.ts';

/*
 * Order of a closing: lock the module → is it still parked? → ledger row "closed" and state "closed" → commit → what waited
 * behind it is redriven, each in a transaction of its own. The ledger row makes a copy that comes later (a repeated
 * publish, a replay of what is missing) known, so that nobody applies what a person has decided about.
 */

export interface Closing extends Resolving {
  /** What was done about it instead. */
  readonly note: string;
}

export type ClosedRow = { readonly outcome: 'closed' } | { readonly outcome: 'not-found' } | ResolvedBefore;

export type CloseOutcome = ClosedRow & {
  /**
   * Messages of the same payment that were parked only because they came behind it, in the order they were tried. One that
   * has a cause of its own is not executed, and neither is anything behind that.
   */
  readonly followers: readonly FollowerOutcome[];
};

/**
 * Ends the waiting of one parked message unexecuted. It need not be the first of its payment; what is behind it goes on
 * when no earlier one is parked.
 * @throws DependencyUnavailableError when the database is away.
 */
export async function closeParked(dependencies: RedriveDependencies, id: bigint, closing: Closing): Promise<CloseOutcome> {
  const { db, handlers, log } = dependencies;
  const row = await db.parkedMessage.findUnique({ where: { id }, select: { module: true, payNo: true } }).catch(rethrow);
  const handler = row === null ? undefined : handlers[row.module as ModuleName];
  if (row === null || handler === undefined) return { outcome: 'not-found', followers: [] };

  const closed = await db.$transaction((transaction) => closeWithin(transaction, handler.module, id, closing)).catch(rethrow);
  const { outcome } = closed;
  const followers = outcome === 'closed' && row.payNo !== null ? await redriveFollowers(dependencies, handler, row.payNo, closing.by, (reason) => reason === ParkReason.behindParked) : [];
  await refreshParkedGauge({ ...dependencies, module: handler.module });
  log.info({ event: 'message.closed', id: String(id), module: handler.module, outcome, by: closing.by, followers: followers.length });
  return { ...closed, followers };
}

async function closeWithin(transaction: Transaction, module: ModuleName, id: bigint, { by, note, record }: Closing): Promise<ClosedRow> {
  await lockModule(transaction, module);
  const row = await transaction.parkedMessage.findUnique({ where: { id } });
  if (row === null) return { outcome: 'not-found' };
  if (row.state !== 'parked') return resolvedBefore(row);
  await recordClosed(transaction, module, row);
  await transaction.parkedMessage.update({ where: { id }, data: { state: 'closed', closedBy: by, closedNote: note, resolvedAt: new Date() } });
  await record?.(transaction, 'closed');
  return { outcome: 'closed' };
}

/** A body that is no message has no identity: only the closed row itself tells of it. */
async function recordClosed(transaction: Transaction, module: ModuleName, row: ParkedMessage): Promise<void> {
  const delivery = fromParked(row.body, row.headers as Record<string, unknown>);
  if (isReadable(delivery)) await closeInLedger(transaction, module, delivery.parsed.message);
}
