import { paymentStream } from '../../contracts/payment-events.ts';
import { MODULE_NAMES, type ModuleName } from '../../contracts/topology.ts';
import type { ParkedMessage } from '../../generated/prisma/client.ts';
import { MESSAGE_ID_HEADER } from '../../platform/consumer/delivery.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { isPublished } from './published-events.ts';

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

export interface TrailDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly readCheckpoint: () => Promise<bigint>;
}

/** The way of one payment through every durable stop; empty when nothing of it is stored. */
export async function readTrail(payNo: string, { db, store, readCheckpoint }: TrailDeps): Promise<TrailEvent[]> {
  const events = await store.readStream(paymentStream(payNo));
  const published = events.filter(isPublished).map(({ id }) => id);
  const [checkpoint, ledger, parked] = await Promise.all([
    readCheckpoint(),
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
  return events.map((event) => {
    if (!isPublished(event)) return { event, checkpoint: 'internal', modules: {} };
    const modules = Object.fromEntries(MODULE_NAMES.map((module) => [module, stepOf(module, event.id)]));
    return { event, checkpoint: event.position <= checkpoint ? 'passed' : 'not-passed', modules };
  });
}

/** A message nobody could read has no event id of its own; it is found by the message id it came under. */
function findParked(db: Database, eventIds: readonly string[]): Promise<ParkedMessage[]> {
  const unreadable = eventIds.map((id) => ({ eventId: null, headers: { path: [MESSAGE_ID_HEADER], equals: id } }));
  return db.parkedMessage.findMany({ where: { state: 'parked', OR: [{ eventId: { in: [...eventIds] } }, ...unreadable] }, orderBy: { id: 'asc' } });
}

function eventIdOf(row: ParkedMessage): unknown {
  return row.eventId ?? (row.headers as Record<string, unknown>)[MESSAGE_ID_HEADER];
}
