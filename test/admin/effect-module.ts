import { MessageError } from '../../src/contracts/errors.ts';
import type { ModuleName } from '../../src/contracts/topology.ts';
import type { ModuleHandler } from '../../src/platform/consumer/module-handler.ts';
import type { Database } from '../../src/platform/database/database.ts';

/** A module whose effect is one row per payment, the same however often it is applied; `executed` counts how often it was. */
export interface EffectModule extends ModuleHandler {
  /** Payments whose messages cannot be applied for now. */
  readonly refused: Set<string>;
  readonly executed: string[];
}

export function createEffectModule(module: ModuleName): EffectModule {
  const refused = new Set<string>();
  const executed: string[] = [];
  return {
    module,
    refused,
    executed,
    actsOn: (message) => message.type === 'PaymentSucceeded',
    async apply(transaction, messages) {
      for (const { payment } of messages) {
        if (refused.has(payment.payNo)) throw new MessageError('effect-refused', `payment ${payment.payNo} is refused`);
        executed.push(payment.payNo);
        await transaction.$executeRaw`INSERT INTO effects (module, pay_no) VALUES (${module}, ${payment.payNo}) ON CONFLICT DO NOTHING`;
      }
    },
  };
}

export async function createEffectsTable(db: Database): Promise<void> {
  await db.$executeRaw`CREATE TABLE effects (module text, pay_no text, PRIMARY KEY (module, pay_no))`;
}

export async function effectsOf(db: Database, module: ModuleName): Promise<string[]> {
  const rows = await db.$queryRaw<{ pay_no: string }[]>`SELECT pay_no FROM effects WHERE module = ${module} ORDER BY pay_no`;
  return rows.map((row) => row.pay_no);
}

export async function deleteEffect(db: Database, module: ModuleName, payNo: string): Promise<void> {
  await db.$executeRaw`DELETE FROM effects WHERE module = ${module} AND pay_no = ${payNo}`;
}
