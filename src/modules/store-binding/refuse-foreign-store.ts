import { ConfigError } from '../../contracts/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { withinMs } from '../../platform/process/time-limit.ts';
import { readBinding } from './binding-row.ts';
import { firstPayments } from './first-payment.ts';
import { identify, readIdentity } from './identity.ts';

export interface RefuseForeignStoreDeps {
  readonly db: Database;
  readonly store: EventStore;
  /** The other instance that publishes now; null when there is none. */
  readonly livingPublisher: () => Promise<string | null>;
  readonly now: () => Date;
}

/** A server that does not answer by then is not waited for: webhooks are to be accepted soon. What is wrong is told later. */
const ANSWER_TIMEOUT_MS = 3_000;

/**
 * While another instance publishes for this database, an instance on another event store must not accept anything: what it
 * stores there would be published by nobody, and neither store could be adopted without losing the other's payments.
 * Nothing is said when the servers cannot be asked yet, or when nobody else is there: then it is for an operator to judge.
 * @throws ConfigError with both identities and what to do.
 */
export async function refuseForeignStore(deps: RefuseForeignStoreDeps): Promise<void> {
  const refusal = await withinMs(ANSWER_TIMEOUT_MS, findRefusal(deps)).catch(() => null);
  if (refusal !== null) throw new ConfigError(refusal);
}

async function findRefusal({ db, store, livingPublisher, now }: RefuseForeignStoreDeps): Promise<string | null> {
  const [binding, publisher] = [await readBinding(db), await livingPublisher()];
  if (binding === null || publisher === null) return null;
  const identity = (await readIdentity(store)) ?? ((await firstPayments(store)).length === 0 ? await identify(store, now) : null);
  if (identity?.storeId === binding.storeId) return null;
  const here = identity === null ? 'another one without an identity' : `${identity.storeId} (begun at ${identity.identifiedAt})`;
  return (
    `This database belongs to event store ${binding.storeId}, on which the instance ${publisher} is publishing; the event store of this instance is ${here}. ` +
    'All instances on one database share one event store: set EVENTSTORE_URL to that of the other instance, or give this instance a database and a broker of its own (DATABASE_URL, RABBITMQ_URL).'
  );
}
