import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { ModuleName } from '../../contracts/topology.ts';
import type { Transaction } from '../database/database.ts';

/**
 * Everything that decides about messages of one module (a batch, parking, a redrive, the mover of dead messages) holds
 * this lock for its transaction, taken first and alone. So "is this payment parked?" stays true until the commit: no
 * later message overtakes one that is being parked or redriven, a message is never both applied and parked, and two
 * redrives of one row run one after the other. It costs the live path next to nothing, because a module has one active
 * consumer whose batches follow each other anyway; a redrive of a few milliseconds waits in between. When a consumer that
 * was taken for lost is still in a transaction, its successor waits here and then finds the messages in the ledger.
 *
 * A wait longer than the server allows a statement counts as infrastructure trouble and is repeated; a holder that hangs
 * (its process is frozen) is cut off by the server's limit for idle transactions.
 *
 * It must be a statement of its own: a statement that also reads would read as of before the lock was granted.
 *
 * A database that is bound to no event store was emptied, or is another one: what waits in the queues is none of its
 * business, and would be parked message by message.
 * @throws DependencyUnavailableError while the database is not bound.
 */
export async function lockModule(transaction: Transaction, module: ModuleName): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`paynotify consumer ${module}`}, 0))`;
  const [binding] = await transaction.$queryRaw<object[]>`SELECT 1 AS bound FROM event_store_binding`;
  if (binding === undefined) throw new DependencyUnavailableError('database', 'the database is bound to no event store: it was emptied, or is another one');
}
