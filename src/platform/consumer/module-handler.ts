import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleName } from '../../contracts/topology.ts';
import type { Transaction } from '../database/database.ts';

/**
 * What a subscribing module is, to the consumer: which messages it acts on, and their effect. The consumer owns
 * everything else (ledger, batches, retries, parking, acknowledgement).
 */
export interface ModuleHandler {
  readonly module: ModuleName;
  /** Pure. False: the message is recorded as "ignored" for this module and has no effect. */
  actsOn(message: PaymentMessage): boolean;
  /**
   * Writes the effect of all messages inside `transaction`, which also holds their ledger rows. Messages arrive in the
   * order of the log, each at most once per batch. The effect must be the same in any order and any number of times
   * (a replay in mode `reapply` runs it again).
   * @throws MessageError when one message cannot be applied; the whole transaction is then rolled back and the messages
   * are tried one by one. Any other error from the database counts as infrastructure if the database is away.
   */
  apply(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void>;
}
