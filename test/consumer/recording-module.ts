import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import type { ModuleName } from '../../src/contracts/topology.ts';
import type { ModuleHandler } from '../../src/platform/consumer/module-handler.ts';
import type { Database, Transaction } from '../../src/platform/database/database.ts';

/** A module whose effect is a row per execution, in the order of execution: an effect that happened twice is two rows. */
export interface Recorder extends ModuleHandler {
  /** Called for each message before its effect; what it throws fails the transaction. */
  onMessage: (message: PaymentMessage) => void | Promise<void>;
  /** When each message was executed (also in transactions that failed), monotonic ms, oldest first. */
  readonly executions: { readonly eventId: string; readonly alone: boolean; readonly atMs: number }[];
}

export interface Effect {
  readonly event_id: string;
  readonly pay_no: string;
}

export function createRecorder(module: ModuleName): Recorder {
  const recorder: Recorder = {
    module,
    executions: [],
    onMessage: () => undefined,
    actsOn: (message) => message.businessKey2 === '60201',
    async apply(transaction, messages) {
      for (const message of messages) {
        recorder.executions.push({ eventId: message.eventId, alone: messages.length === 1, atMs: performance.now() });
        await recorder.onMessage(message);
      }
      await insertEffects(transaction, messages);
    },
  };
  return recorder;
}

export async function createEffectsTable(db: Database): Promise<void> {
  await db.$executeRaw`CREATE TABLE IF NOT EXISTS effects (seq bigserial PRIMARY KEY, event_id uuid NOT NULL, pay_no text NOT NULL)`;
}

async function insertEffects(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const eventIds = messages.map((message) => message.eventId);
  const payNos = messages.map((message) => message.payment.payNo);
  await transaction.$executeRaw`
    INSERT INTO effects (event_id, pay_no)
    SELECT event_id::uuid, pay_no FROM unnest(${eventIds}::text[], ${payNos}::text[]) WITH ORDINALITY AS t (event_id, pay_no, n) ORDER BY n`;
}

/** Effects in the order in which they happened. */
export async function effectsOf(db: Database): Promise<Effect[]> {
  return db.$queryRaw<Effect[]>`SELECT event_id::text, pay_no FROM effects ORDER BY seq`;
}

export async function effectCount(db: Database): Promise<number> {
  const rows = await db.$queryRaw<{ count: bigint }[]>`SELECT count(*) FROM effects`;
  return Number(rows[0]?.count ?? 0);
}
