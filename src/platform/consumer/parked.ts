import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { ModuleName } from '../../contracts/topology.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { passWindow } from '../process/window.ts';
import { applyWithin } from './apply-batch.ts';
import { fromParked, isReadable } from './delivery.ts';
import type { ModuleHandler } from './module-handler.ts';
import { lockModule } from './module-lock.ts';
import type { Outcome } from './outcome.ts';
import { refreshParkedGauge } from './park.ts';
import { troubleOf } from './settle.ts';

/*
 * Order of a redrive: lock the module → is it still parked, and the first of its payment? → ledger row and effect →
 * state "redriven" → commit. Then the next of the same payment, oldest first, each in a transaction of its own. Until the
 * last of them is done the payment counts as parked, so what arrives meanwhile parks behind and is reached by the same loop.
 */

export type ParkedState = 'parked' | 'redriven' | 'closed';

export interface ParkedQuery {
  readonly module?: ModuleName;
  readonly state?: ParkedState;
  readonly payNo?: string;
  /** Rows at most. */
  readonly limit: number;
  /** Only rows with a smaller id: the last id of the page before. */
  readonly before?: bigint;
}

/** @returns newest first. */
export async function listParked(db: Database, { module, state, payNo, limit, before }: ParkedQuery): Promise<ParkedMessage[]> {
  // Each by its name: whatever else a caller's object holds must not become a condition.
  return db.parkedMessage.findMany({
    where: {
      ...(module === undefined ? {} : { module }),
      ...(state === undefined ? {} : { state }),
      ...(payNo === undefined ? {} : { payNo }),
      ...(before === undefined ? {} : { id: { lt: before } }),
    },
    orderBy: { id: 'desc' },
    take: limit,
  });
}

export interface RedriveDependencies {
  readonly db: Database;
  readonly handlers: Readonly<Partial<Record<ModuleName, ModuleHandler>>>;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Whoever ends the waiting of a parked message, and how that is put on record. */
export interface Resolving {
  /** Name of the operator's token. */
  readonly by: string;
  /** Called within the transaction that ends the waiting of the row that was asked for, not for those behind it. */
  readonly record?: (transaction: Transaction, outcome: string) => Promise<void>;
}

/** Somebody else was faster. `by` is null where a release before did not keep it. */
export interface ResolvedBefore {
  readonly outcome: 'already-redriven' | 'already-closed';
  readonly by: string | null;
  readonly at: Date | null;
}

/** What became of one row. */
export type RowOutcome =
  | { readonly outcome: 'applied' | 'already-applied' | 'ignored' }
  /** It failed again and stays parked, with the new cause. */
  | { readonly outcome: 'still-failing'; readonly code: string; readonly cause: string }
  /** Its body is no message; it stays parked. */
  | { readonly outcome: 'unparseable'; readonly cause: string }
  /** An older message of the same payment is parked too and must go first. Nothing was executed. */
  | { readonly outcome: 'behind-parked'; readonly headId: bigint }
  | ResolvedBefore
  | { readonly outcome: 'not-found' };

export type FollowerOutcome = RowOutcome & { readonly id: bigint };

export type RedriveOutcome = RowOutcome & {
  /** Messages of the same payment that waited behind it, in the order they were tried; the last may be still failing. */
  readonly followers: readonly FollowerOutcome[];
};

/**
 * Executes one parked message exactly as the consumer would, and then those parked behind it. Two calls at once: one
 * executes, the other finds the row redriven.
 * @throws DependencyUnavailableError when the database is away; nothing is changed then that was not reported before.
 */
export async function redriveParked(dependencies: RedriveDependencies, id: bigint, resolving: Resolving): Promise<RedriveOutcome> {
  const row = await dependencies.db.parkedMessage.findUnique({ where: { id }, select: { module: true, payNo: true } }).catch(rethrow);
  const handler = row === null ? undefined : dependencies.handlers[row.module as ModuleName];
  if (row === null || handler === undefined) return { outcome: 'not-found', followers: [] };

  const first = await redriveRow(dependencies, handler, id, resolving);
  const followers = isDone(first) && row.payNo !== null ? await redriveFollowers(dependencies, handler, row.payNo, resolving.by, () => true) : [];
  await refreshParkedGauge({ ...dependencies, module: handler.module });
  dependencies.log.info({ event: 'message.redriven', id: String(id), module: handler.module, outcome: first.outcome, followers: followers.length });
  return { ...first, followers };
}

/**
 * Executes what is parked of one payment, oldest first, until one fails again or is none of those that `goesOn` lets go on.
 * One that somebody else redrives or closes at the same moment is theirs to tell of, and holds up nothing behind it.
 * @param goesOn told why the row is parked.
 */
export async function redriveFollowers(dependencies: RedriveDependencies, handler: ModuleHandler, payNo: string, by: string, goesOn: (reason: string) => boolean): Promise<FollowerOutcome[]> {
  const followers: FollowerOutcome[] = [];
  for (;;) {
    const next = await firstParked(dependencies.db, handler.module, payNo).catch(rethrow);
    if (next === null || !goesOn(next.reason)) return followers;
    const outcome = await redriveRow(dependencies, handler, next.id, { by });
    if (isResolvedBefore(outcome)) continue;
    followers.push({ ...outcome, id: next.id });
    if (!isDone(outcome)) return followers;
  }
}

function isDone({ outcome }: RowOutcome): boolean {
  return outcome === 'applied' || outcome === 'already-applied' || outcome === 'ignored';
}

function isResolvedBefore(outcome: RowOutcome): outcome is ResolvedBefore {
  return outcome.outcome === 'already-redriven' || outcome.outcome === 'already-closed';
}

async function redriveRow(dependencies: RedriveDependencies, handler: ModuleHandler, id: bigint, resolving: Resolving): Promise<RowOutcome> {
  try {
    return await dependencies.db.$transaction((transaction) => redriveWithin(transaction, dependencies, handler, id, resolving));
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble.kind === 'infrastructure') rethrow(error);
    await recordFailure(dependencies.db, id, trouble.code, trouble.cause).catch(rethrow);
    return { outcome: 'still-failing', code: trouble.code, cause: trouble.cause };
  }
}

async function redriveWithin(transaction: Transaction, dependencies: RedriveDependencies, handler: ModuleHandler, id: bigint, { by, record }: Resolving): Promise<RowOutcome> {
  await lockModule(transaction, handler.module);
  const row = await transaction.parkedMessage.findUnique({ where: { id } });
  if (row === null) return { outcome: 'not-found' };
  if (row.state !== 'parked') return resolvedBefore(row);
  const head = row.payNo === null ? id : ((await firstParked(transaction, handler.module, row.payNo))?.id ?? null);
  if (head !== null && head !== id) return { outcome: 'behind-parked', headId: head };

  const delivery = fromParked(row.body, row.headers as Record<string, unknown>);
  if (!isReadable(delivery)) {
    await transaction.parkedMessage.update({ where: { id }, data: { redriveCount: { increment: 1 } } });
    return { outcome: 'unparseable', cause: 'unparseable' in delivery.parsed ? delivery.parsed.unparseable : 'not a message' };
  }
  const applying = { ...dependencies, module: handler.module, queue: row.queue, handler, reach: passWindow };
  const { settled } = await applyWithin(transaction, applying, [delivery], false);
  await transaction.parkedMessage.update({ where: { id }, data: { state: 'redriven', redrivenBy: by, resolvedAt: new Date(), redriveCount: { increment: 1 } } });
  const outcome = doneWord(settled[0]?.outcome);
  await record?.(transaction, outcome);
  return { outcome };
}

/** @param row of one that is parked no more. */
export function resolvedBefore({ state, closedBy, redrivenBy, resolvedAt }: ParkedMessage): ResolvedBefore {
  return state === 'closed' ? { outcome: 'already-closed', by: closedBy, at: resolvedAt } : { outcome: 'already-redriven', by: redrivenBy, at: resolvedAt };
}

/** With one readable message whose own parking is not heeded there is no other outcome. */
function doneWord(outcome: Outcome | undefined): 'applied' | 'already-applied' | 'ignored' {
  if (outcome === undefined || outcome === 'parked') throw new Error('a redriven message has no outcome');
  return outcome;
}

function firstParked(db: Transaction | Database, module: ModuleName, payNo: string): Promise<{ id: bigint; reason: string } | null> {
  return db.parkedMessage.findFirst({ where: { module, payNo, state: 'parked' }, orderBy: { id: 'asc' }, select: { id: true, reason: true } });
}

/** The failed transaction is rolled back, so this is one of its own; a row that was redriven meanwhile stays as it is. */
async function recordFailure(db: Database, id: bigint, reason: string, cause: string): Promise<void> {
  await db.parkedMessage.updateMany({ where: { id, state: 'parked' }, data: { reason, cause: cause.replaceAll('\0', ''), redriveCount: { increment: 1 } } });
}

/** @throws DependencyUnavailableError when the database was at fault, otherwise `error` itself. */
export function rethrow(error: unknown): never {
  const trouble = troubleOf(error);
  if (trouble.kind !== 'infrastructure') throw error;
  throw new DependencyUnavailableError('database', trouble.cause, { cause: error });
}
