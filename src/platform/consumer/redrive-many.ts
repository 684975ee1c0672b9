import type { ModuleName } from '../../contracts/topology.ts';
import { ParkReason } from './outcome.ts';
import { redriveParked, rethrow, type RedriveDependencies, type RowOutcome } from './parked.ts';

/** Which parked messages; all of them where nothing is said. */
export interface RedriveFilter {
  readonly module?: ModuleName;
  readonly reason?: string;
  readonly payNo?: string;
}

export interface RedrivePart {
  /** Name of the operator's token; kept with each row, in the transaction that ends its waiting. */
  readonly by: string;
  readonly filter: RedriveFilter;
  /** Only rows with a larger id: `last` of the part before. One that failed again is so not tried for ever. */
  readonly after: bigint;
  /** Rows of the filter in this part, at most. */
  readonly limit: number;
  /** Asked before each row: true ends the part early. */
  readonly isOver: () => boolean;
}

/** What became of every message that was tried, those included that waited behind one of the filter. */
export interface RedriveCounts {
  applied: number;
  alreadyApplied: number;
  ignored: number;
  /** They failed again, or are no messages, and stay parked. */
  parkedAgain: number;
  /** Not tried: an earlier message of the payment is parked and is none of the filter, or has just failed. */
  behindParked: number;
  /** Not tried: whoever wants a message executed that has killed the process names it, or its reason. */
  skipped: number;
}

export interface RedrivenPart {
  readonly counts: RedriveCounts;
  /** Id of the last row that was looked at. */
  readonly last: bigint;
  /** Rows of the filter behind it that are still parked. */
  readonly remaining: number;
}

const COUNTED: Readonly<Record<RowOutcome['outcome'], keyof RedriveCounts | null>> = {
  applied: 'applied',
  'already-applied': 'alreadyApplied',
  ignored: 'ignored',
  'still-failing': 'parkedAgain',
  unparseable: 'parkedAgain',
  'behind-parked': 'behindParked',
  // Somebody else was faster: it is theirs to count.
  'already-redriven': null,
  'already-closed': null,
  'not-found': null,
};

/**
 * Redrives one part of the parked messages of `filter`, oldest first, each as if it had been asked for alone.
 * @throws DependencyUnavailableError when the database is away; every row says by itself how far it came.
 */
export async function redriveMany(dependencies: RedriveDependencies, { by, filter, after, limit, isOver }: RedrivePart): Promise<RedrivenPart> {
  const counts: RedriveCounts = { applied: 0, alreadyApplied: 0, ignored: 0, parkedAgain: 0, behindParked: 0, skipped: 0 };
  const tried = new Set<bigint>();
  const count = (id: bigint, { outcome }: RowOutcome): void => {
    tried.add(id);
    const counted = COUNTED[outcome];
    if (counted !== null) counts[counted]++;
  };
  const rows = await dependencies.db.parkedMessage.findMany({ where: whereOf(filter, after), orderBy: { id: 'asc' }, take: limit, select: { id: true, reason: true } }).catch(rethrow);
  let last = after;
  for (const { id, reason } of rows) {
    if (isOver()) break;
    last = id;
    if (tried.has(id)) continue;
    if (reason === ParkReason.killedTheProcess && filter.reason !== reason) {
      counts.skipped++;
      continue;
    }
    const { followers, ...outcome } = await redriveParked(dependencies, id, { by });
    count(id, outcome);
    for (const follower of followers) count(follower.id, follower);
  }
  const remaining = await dependencies.db.parkedMessage.count({ where: whereOf(filter, last) }).catch(rethrow);
  return { counts, last, remaining };
}

function whereOf({ module, reason, payNo }: RedriveFilter, after: bigint) {
  const named = { ...(module === undefined ? {} : { module }), ...(reason === undefined ? {} : { reason }), ...(payNo === undefined ? {} : { payNo }) };
  return { ...named, state: 'parked', id: { gt: after } };
}
