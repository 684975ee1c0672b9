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
  | { readonly state: 'parked'; readonly at: Date; readonly parkedId: bigint; readonly reason: string; readonly cause: string; readonly attempts: number }
  | { readonly state: 'waiting' };

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
    if (row !== undefined) return { state: row.outcome === 'ignored' ? 'ignored' : 'applied', at: row.appliedAt };
    const waiting = parked.find((entry) => entry.module === module && eventIdOf(entry) === eventId);
    if (waiting === undefined) return { state: 'waiting' };
    return { state: 'parked', at: waiting.parkedAt, parkedId: waiting.id, reason: waiting.reason, cause: waiting.cause, attempts: waiting.attempts };
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

/** A message nobody could read has no event id of its own; it is found by the message id it came under. */
function findParked(db: Database, eventIds: readonly string[]): Promise<ParkedMessage[]> {
  const unreadable = eventIds.map((id) => ({ eventId: null, headers: { path: [MESSAGE_ID_HEADER], equals: id } }));
  return db.parkedMessage.findMany({ where: { state: 'parked', OR: [{ eventId: { in: [...eventIds] } }, ...unreadable] }, orderBy: { id: 'asc' } });
}

function eventIdOf(row: ParkedMessage): unknown {
  return row.eventId ?? (row.headers as Record<string, unknown>)[MESSAGE_ID_HEADER];
}
