import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleName } from '../../contracts/topology.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { ReadableDelivery } from './delivery.ts';
import type { ClaimedMessages } from './outcome.ts';

export interface LedgerEntry {
  readonly delivery: ReadableDelivery;
  /** False: the row says "ignored". */
  readonly actsOn: boolean;
}

/**
 * Writes the ledger rows of all messages whose payment is not parked, in one statement, and says which were not new. The
 * unique key (module, event id) is what makes an effect happen once: whoever inserts the row writes the effect in the
 * same transaction. The caller holds the module's lock. Only exceptions are returned: usually there are none, and reading
 * back a row per message would take longer than writing it.
 * @param heedParked false when the parked message itself is redriven.
 */
export async function claimMessages(transaction: Transaction, module: ModuleName, entries: readonly LedgerEntry[], heedParked = true): Promise<ClaimedMessages> {
  const messages = entries.map(({ delivery }) => delivery.parsed.message);
  const eventIds = messages.map((message) => message.eventId);
  const payNos = messages.map((message) => message.payment.payNo);
  const types = messages.map((message) => message.type);
  const positions = messages.map((message) => message.id);
  const recorded = messages.map((message) => message.recordedAt);
  const generations = messages.map((message) => String(message.generation));
  const outcomes = entries.map(({ actsOn }) => (actsOn ? 'applied' : 'ignored'));
  const exceptions = await transaction.$queryRaw<{ event_id: string; is_parked: boolean }[]>`
    WITH parked AS (
      SELECT DISTINCT pay_no FROM parked_messages
      WHERE ${heedParked} AND module = ${module} AND state = 'parked' AND pay_no = ANY(${payNos}::text[])
    ), incoming AS (
      SELECT t.event_id::uuid, t.pay_no, t.event_type, t.position::bigint, t.generation, t.recorded_at, t.outcome, parked.pay_no IS NOT NULL AS is_parked
      FROM unnest(${eventIds}::text[], ${payNos}::text[], ${types}::text[], ${positions}::text[], ${generations}::text[]::bigint[],
                  ${recorded}::text[]::timestamptz(3)[], ${outcomes}::text[])
        AS t (event_id, pay_no, event_type, position, generation, recorded_at, outcome)
      LEFT JOIN parked ON parked.pay_no = t.pay_no
    ), fresh AS (
      INSERT INTO effect_ledger (module, event_id, pay_no, event_type, position, generation, recorded_at, outcome)
      SELECT ${module}, event_id, pay_no, event_type, position, generation, recorded_at, outcome FROM incoming WHERE NOT is_parked
      ON CONFLICT (module, event_id) DO NOTHING
      RETURNING event_id
    )
    SELECT incoming.event_id::text, is_parked FROM incoming LEFT JOIN fresh ON fresh.event_id = incoming.event_id
    WHERE fresh.event_id IS NULL`;
  const idsWhere = (isParked: boolean) => new Set(exceptions.flatMap((row) => (row.is_parked === isParked ? [row.event_id] : [])));
  return { known: idsWhere(false), behindParked: idsWhere(true) };
}

/** The module will not apply this message: a person has closed it. What the ledger holds already stays as it is. */
export async function closeInLedger(transaction: Transaction, module: ModuleName, message: PaymentMessage): Promise<void> {
  const { eventId, type, payment, id, generation, recordedAt } = message;
  const row = { module, eventId, payNo: payment.payNo, eventType: type, position: BigInt(id), generation: BigInt(generation), recordedAt: new Date(recordedAt), outcome: 'closed' };
  await transaction.effectLedger.createMany({ data: [row], skipDuplicates: true });
}

/** A replay in mode `reapply` has executed these again; what a person had closed is applied now. */
export async function reopenClosed(transaction: Transaction, module: ModuleName, eventIds: readonly string[]): Promise<void> {
  await transaction.effectLedger.updateMany({ where: { module, eventId: { in: [...eventIds] }, outcome: 'closed' }, data: { outcome: 'applied', appliedAt: new Date() } });
}

/** @returns those of `eventIds` that the module's ledger holds already; once true, it stays true. */
export async function knownEvents(db: Database, module: ModuleName, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.$queryRaw<{ event_id: string }[]>`
    SELECT event_id::text FROM effect_ledger WHERE module = ${module} AND event_id = ANY(${eventIds}::text[]::uuid[])`;
  return new Set(rows.map((row) => row.event_id));
}

/**
 * Keeps the first outcome of each replayed message: a redelivery must not turn "applied" into "already applied". A replay
 * id nobody knows comes from a foreign sender and is ignored.
 */
export async function recordReplayOutcomes(
  transaction: Transaction,
  module: ModuleName,
  outcomes: readonly { readonly delivery: ReadableDelivery; readonly outcome: string }[],
): Promise<void> {
  const replayed = outcomes.filter(({ delivery }) => delivery.replay !== null);
  if (replayed.length === 0) return;
  const replayIds = replayed.map(({ delivery }) => delivery.replay?.id);
  const eventIds = replayed.map(({ delivery }) => delivery.parsed.message.eventId);
  const words = replayed.map(({ outcome }) => outcome);
  await transaction.$executeRaw`
    INSERT INTO replay_outcomes (replay_id, module, event_id, outcome)
    SELECT t.replay_id, ${module}, t.event_id::uuid, t.outcome
    FROM unnest(${replayIds}::text[], ${eventIds}::text[], ${words}::text[]) AS t (replay_id, event_id, outcome)
    WHERE EXISTS (SELECT 1 FROM replays WHERE replays.id = t.replay_id)
    ON CONFLICT DO NOTHING`;
}
