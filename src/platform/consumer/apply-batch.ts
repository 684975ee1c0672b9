import type { ReachWindow } from '../process/window.ts';
import type { Transaction } from '../database/database.ts';
import { isReadable, type Delivery, type ReadableDelivery } from './delivery.ts';
import { claimMessages, recordReplayOutcomes, reopenClosed } from './ledger.ts';
import type { ModuleHandler } from './module-handler.ts';
import { lockModule } from './module-lock.ts';
import { outcomeOf, ParkReason, type Parking, type Settled } from './outcome.ts';
import { parkWithin, reportParked, type ParkingPlace } from './park.ts';
import { removeStarts } from './started-executions.ts';

/*
 * Order: lock the module → ledger rows → effect → what goes with it (replay outcomes, parked rows) → commit → only then
 * may the caller acknowledge. A crash before the commit leaves nothing behind, and the broker delivers again; a crash
 * after it leaves the ledger rows, by which the redelivery is recognised.
 */

export interface Applying extends ParkingPlace {
  readonly handler: ModuleHandler;
  readonly reach: ReachWindow;
}

/**
 * One transaction for all of `deliveries`: either each has its outcome when this resolves, or nothing has happened.
 * Throws whatever the handler or the database throws.
 */
export async function applyBatch(applying: Applying, deliveries: readonly Delivery[]): Promise<Settled[]> {
  const { settled, parkings } = await applying.db.$transaction(async (transaction) => {
    await lockModule(transaction, applying.module);
    return applyWithin(transaction, applying, deliveries);
  });
  for (const delivery of deliveries) if (isReadable(delivery)) applying.reach('consumer.committed', delivery.parsed.message.eventId);
  if (parkings.length > 0) await reportParked(applying, parkings, settled);
  return settled;
}

interface Applied {
  readonly settled: Settled[];
  readonly parkings: Parking[];
}

/** @param heedParked false when a parked message itself is redriven. The caller holds the module's lock. */
export async function applyWithin(transaction: Transaction, applying: Applying, deliveries: readonly Delivery[], heedParked = true): Promise<Applied> {
  const { module, handler } = applying;
  const entries = deliveries.filter(isReadable).map((delivery) => ({ delivery, actsOn: handler.actsOn(delivery.parsed.message) }));
  const { known, behindParked } = await claimMessages(transaction, module, entries, heedParked);

  const behind = entries.filter(({ delivery }) => behindParked.has(delivery.parsed.message.eventId));
  const seen = new Set<string>();
  const settled = entries.flatMap(({ delivery, actsOn }) => {
    const { eventId } = delivery.parsed.message;
    if (behindParked.has(eventId)) return [];
    // The second copy of a message in one batch is not new: the first one claimed it.
    const isFresh = !known.has(eventId) && !seen.has(eventId);
    seen.add(eventId);
    return [{ delivery, outcome: outcomeOf(delivery, actsOn, isFresh) }];
  });
  await execute(transaction, applying, settled);
  const again = settled.flatMap(({ delivery, outcome }) => (outcome === 'applied' && known.has(delivery.parsed.message.eventId) ? [delivery.parsed.message.eventId] : []));
  if (again.length > 0) await reopenClosed(transaction, module, again);
  await recordReplayOutcomes(transaction, module, settled);
  const restarted = settled.filter(({ delivery }) => delivery.deliveryCount > 0);
  await removeStarts(transaction, module, restarted.map(({ delivery }) => delivery.parsed.message.eventId));

  const parkings = [...deliveries.flatMap(parkUnreadable), ...behind.map(({ delivery }) => parkBehind(delivery))];
  if (parkings.length === 0) return { settled, parkings };
  return { settled: [...settled, ...(await parkWithin(transaction, applying, parkings))], parkings };
}

async function execute(transaction: Transaction, { handler, reach }: Applying, settled: readonly { delivery: ReadableDelivery; outcome: string }[]): Promise<void> {
  const messages = new Map(settled.flatMap(({ delivery, outcome }) => (outcome === 'applied' ? [[delivery.parsed.message.eventId, delivery.parsed.message]] : [])));
  if (messages.size === 0) return;
  for (const eventId of messages.keys()) reach('consumer.executing', eventId);
  await handler.apply(transaction, [...messages.values()]);
}

function parkUnreadable(delivery: Delivery): Parking[] {
  if (!('unparseable' in delivery.parsed)) return [];
  return [{ delivery, reason: ParkReason.unparseable, cause: delivery.parsed.unparseable, attempts: 0 }];
}

function parkBehind(delivery: ReadableDelivery): Parking {
  return { delivery, reason: ParkReason.behindParked, cause: 'an earlier message of this payment is parked', attempts: 0 };
}
