import type { ModuleName } from '../../contracts/topology.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database, Transaction } from '../database/database.ts';
import { isReadable, type Delivery } from './delivery.ts';
import { recordReplayOutcomes } from './ledger.ts';
import { lockModule } from './module-lock.ts';
import type { Outcome, Parking, Settled } from './outcome.ts';
import { removeStarts } from './started-executions.ts';

/** Where parked messages come from and go to. */
export interface ParkingPlace {
  readonly db: Database;
  readonly module: ModuleName;
  readonly queue: string;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Parks in a transaction of its own. The caller acknowledges only after this has resolved. */
export async function park(place: ParkingPlace, parkings: readonly Parking[]): Promise<Settled[]> {
  const settled = await place.db.$transaction(async (transaction) => {
    await lockModule(transaction, place.module);
    return parkWithin(transaction, place, parkings);
  });
  await reportParked(place, parkings, settled);
  return settled;
}

/**
 * Writes the rows inside a transaction that holds the module's lock. A message that the ledger holds already, or that is
 * parked already (it was delivered again because its acknowledgement got lost), is not parked a second time.
 */
export async function parkWithin(transaction: Transaction, place: ParkingPlace, parkings: readonly Parking[]): Promise<Settled[]> {
  const settled: Settled[] = [];
  // One by one: parking is rare, and two copies of one message in the same batch then see each other.
  for (const parking of parkings) settled.push({ delivery: parking.delivery, outcome: await insertParked(transaction, place, parking) });
  const readable = settled.flatMap(({ delivery, outcome }) => (isReadable(delivery) ? [{ delivery, outcome }] : []));
  await recordReplayOutcomes(transaction, place.module, readable);
  const restarted = readable.filter(({ delivery }) => delivery.deliveryCount > 0);
  await removeStarts(transaction, place.module, restarted.map(({ delivery }) => delivery.parsed.message.eventId));
  return settled;
}

async function insertParked(transaction: Transaction, { module, queue }: ParkingPlace, parking: Parking): Promise<Outcome> {
  const { delivery } = parking;
  const message = isReadable(delivery) ? delivery.parsed.message : null;
  const body = delivery.bytes().toString('base64');
  // A message nobody can read has no identity: only a redelivery may be taken for a copy of an equal one.
  const [row] = await transaction.$queryRaw<{ applied: boolean; already: boolean }[]>`
    WITH judged AS (
      SELECT EXISTS (SELECT 1 FROM effect_ledger
                     WHERE module = ${module} AND event_id = ${message?.eventId ?? null}::uuid AND NOT ${delivery.replay?.reapply ?? false}) AS applied,
             EXISTS (SELECT 1 FROM parked_messages
                     WHERE module = ${module} AND state = 'parked' AND pay_no = ${message?.payment.payNo ?? null}::text AND event_id = ${message?.eventId ?? null}::uuid)
          OR EXISTS (SELECT 1 FROM parked_messages
                     WHERE module = ${module} AND state = 'parked' AND pay_no IS NULL AND event_id IS NULL
                       AND ${message === null && delivery.deliveryCount > 0} AND body = decode(${body}, 'base64')) AS already
    ), inserted AS (
      INSERT INTO parked_messages (module, queue, event_id, pay_no, position, message_type, reason, cause, attempts, body, headers)
      SELECT ${module}, ${queue}, ${message?.eventId ?? null}::uuid, ${message?.payment.payNo ?? null}::text, ${message?.id ?? null}::bigint,
             ${message?.messageType ?? null}::text, ${storable(parking.reason)}, ${storable(parking.cause)}, ${parking.attempts}::int,
             decode(${body}, 'base64'), ${storableJson(delivery.headers)}::jsonb
      FROM judged WHERE NOT applied AND NOT already
    )
    SELECT applied, already FROM judged`;
  return row?.applied === true ? 'already-applied' : 'parked';
}

/** NUL and lone surrogates are refused by PostgreSQL; a message that cannot be parked would stop its module for ever. */
function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

function storableJson(headers: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(headers, (_key, value: unknown) => {
    if (typeof value === 'string') return storable(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storable(name), inner]));
  });
}

/** One warning per message that waits for a person now, and the gauge that an alarm hangs on. */
export async function reportParked(place: ParkingPlace, parkings: readonly Parking[], settled: readonly Settled[]): Promise<void> {
  const parked = new Set(settled.flatMap(({ delivery, outcome }) => (outcome === 'parked' ? [delivery] : [])));
  for (const { delivery, reason, cause, attempts } of parkings) {
    if (parked.has(delivery)) place.log.warn({ event: 'message.parked', module: place.module, ...identityOf(delivery), reason, cause, attempts });
  }
  if (parked.size > 0) await refreshParkedGauge(place);
}

/** Never throws: a metric must not fail the message it counts. */
export async function refreshParkedGauge({ db, module, metrics }: Pick<ParkingPlace, 'db' | 'module' | 'metrics'>): Promise<void> {
  try {
    metrics.parked.set({ module }, await db.parkedMessage.count({ where: { module, state: 'parked' } }));
  } catch {
    // The database is away; the next parking or the next start sets the gauge.
  }
}

function identityOf(delivery: Delivery): Record<string, unknown> {
  if (!isReadable(delivery)) return { problem: delivery.parsed };
  const { eventId, payment } = delivery.parsed.message;
  return { eventId, payNo: payment.payNo };
}
