import { paymentStream } from '../../contracts/payment-events.ts';
import { MODULE_NAMES, type ModuleName } from '../../contracts/topology.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import { MESSAGE_ID_HEADER } from '../../platform/consumer/delivery.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { isPublished } from './published-events.ts';
import { sightOf, type StoreSights } from './store-sight.ts';

/** What one module did with one event. */
export type ModuleStep =
  | { readonly state: 'applied' | 'ignored'; readonly at: Date }
  | ({ readonly state: 'parked'; readonly at: Date } & WasParked)
  /** A person has decided that the module does not apply it. */
  | ({ readonly state: 'closed'; readonly at: Date; readonly by: string; readonly note: string } & WasParked)
  | { readonly state: 'waiting' };

interface WasParked {
  readonly parkedId: bigint;
  readonly reason: string;
  readonly cause: string;
  readonly attempts: number;
}

export interface TrailEvent {
  readonly event: StoredEvent;
  /** `internal`: never published. `passed`: proven to be published. */
  readonly checkpoint: 'internal' | 'passed' | 'not-passed';
  /** Empty for an internal event. */
  readonly modules: Readonly<Partial<Record<ModuleName, ModuleStep>>>;
}

/** The way of one payment through every durable stop. */
export interface Trail {
  /** Why nothing is published, when the event store is not the bound one. */
  readonly mismatch: string | null;
  /** Empty when nothing of the payment is stored. */
  readonly events: readonly TrailEvent[];
}

export interface TrailDeps extends StoreSights {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readStream'>;
}

export async function readTrail(payNo: string, deps: TrailDeps): Promise<Trail> {
  const { db, store } = deps;
  const events = await store.readStream(paymentStream(payNo));
  const published = events.filter(isPublished).map(({ id }) => id);
  const [{ landmark, mismatch }, ledger, parked] = await Promise.all([
    sightOf(deps),
    db.effectLedger.findMany({ where: { module: { in: [...MODULE_NAMES] }, eventId: { in: published } } }),
    findParked(db, published),
  ]);
  const stepOf = (module: ModuleName, eventId: string): ModuleStep => {
    const row = ledger.find((entry) => entry.module === module && entry.eventId === eventId);
    if (row !== undefined && row.outcome !== 'closed') return { state: row.outcome === 'ignored' ? 'ignored' : 'applied', at: row.appliedAt };
    const own = parked.filter((entry) => entry.module === module && eventIdOf(entry) === eventId);
    const found = own.find(({ state }) => state === 'parked') ?? own[0];
    return found === undefined ? { state: 'waiting' } : parkedStep(found);
  };
  // A place in front of a landmark that was found again: its confirm was seen. A number alone would say nothing.
  const isPassed = ({ position }: StoredEvent): boolean => landmark !== null && position >= 0n && position <= landmark.position;
  const trail = events.map((event): TrailEvent => {
    if (!isPublished(event)) return { event, checkpoint: 'internal', modules: {} };
    const modules = Object.fromEntries(MODULE_NAMES.map((module) => [module, stepOf(module, event.id)]));
    return { event, checkpoint: isPassed(event) ? 'passed' : 'not-passed', modules };
  });
  return { mismatch: mismatch?.message ?? null, events: trail };
}

function parkedStep({ id, state, parkedAt, resolvedAt, closedBy, closedNote, reason, cause, attempts }: ParkedMessage): ModuleStep {
  const was = { parkedId: id, reason, cause, attempts };
  if (state !== 'closed') return { state: 'parked', at: parkedAt, ...was };
  return { state: 'closed', at: resolvedAt ?? parkedAt, by: closedBy ?? '', note: closedNote ?? '', ...was };
}

/** A message nobody could read has no event id of its own; it is found by the message id it came under. */
function findParked(db: Database, eventIds: readonly string[]): Promise<ParkedMessage[]> {
  const unreadable = eventIds.map((id) => ({ eventId: null, headers: { path: [MESSAGE_ID_HEADER], equals: id } }));
  return db.parkedMessage.findMany({ where: { state: { in: ['parked', 'closed'] }, OR: [{ eventId: { in: [...eventIds] } }, ...unreadable] }, orderBy: { id: 'asc' } });
}

function eventIdOf(row: ParkedMessage): unknown {
  return row.eventId ?? (row.headers as Record<string, unknown>)[MESSAGE_ID_HEADER];
}
