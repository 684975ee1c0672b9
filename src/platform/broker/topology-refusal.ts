import { AMQPError } from 'rabbitmq-client';
import { DependencyUnavailableError, TopologyError } from '../../contracts/errors.ts';
import { describeError } from './error-log.ts';
import { grant, shellWord, type Peer } from './peer.ts';

/** What was to be declared, bound, published to or consumed from when the broker refused. */
export interface BrokerObject {
  readonly kind: 'queue' | 'exchange' | 'binding';
  readonly name: string;
  /** What it must be, in brackets behind its name; of a binding what it leads to. */
  readonly as?: string;
}

/**
 * What the broker's answer means for publishing. Only what was found may be named as to be removed.
 *
 * | broker says                        | meaning                            | error                      |
 * | ---------------------------------- | ---------------------------------- | -------------------------- |
 * | PRECONDITION_FAILED, "queue limit" | nothing is there, nothing may come | TopologyError              |
 * | PRECONDITION_FAILED, "inequivalent"| exists with other properties       | TopologyError              |
 * | PRECONDITION_FAILED, else          | a rule of the broker's             | TopologyError              |
 * | ACCESS_REFUSED                     | the broker user may not            | TopologyError              |
 * | RESOURCE_LOCKED                    | another connection owns it alone   | TopologyError              |
 * | NOT_FOUND                          | what is to be bound is gone        | TopologyError              |
 * | anything else                      | connection lost, no answer in time | DependencyUnavailableError |
 */
export function explainRefusal(error: unknown, object: BrokerObject, peer: Peer): TopologyError | DependencyUnavailableError {
  const cause = describeError(error);
  const what = named(object);
  switch (replyOf(error)) {
    case 'PRECONDITION_FAILED':
      return new TopologyError(preconditionFailed(what, cause, object, peer), { cause: error });
    case 'ACCESS_REFUSED':
      return new TopologyError(`User "${peer.user}" may not declare or use the ${what}. The broker says: ${cause}. Allow it: ${grant(peer)}`, { cause: error });
    case 'RESOURCE_LOCKED':
      return new TopologyError(`The ${what} belongs to another connection alone. The broker says: ${cause}. Close that connection.`, { cause: error });
    case 'NOT_FOUND':
      return new TopologyError(`The ${what} is gone, or what it needs is. The broker says: ${cause}. It is declared anew.`, { cause: error });
    default:
      return new DependencyUnavailableError('broker', `No answer about the ${what}: ${cause}`, { cause: error });
  }
}

export function replyOf(error: unknown): string | null {
  return error instanceof AMQPError ? error.code : null;
}

function named({ kind, name, as }: BrokerObject): string {
  if (kind === 'binding') return `binding of queue "${name}" ${as ?? ''}`.trimEnd();
  return as === undefined ? `${kind} "${name}"` : `${kind} "${name}" (${as})`;
}

function preconditionFailed(what: string, cause: string, object: BrokerObject, peer: Peer): string {
  if (/queue limit/i.test(cause)) return atLimit(what, cause, peer);
  if (/inequivalent arg/i.test(cause)) return otherwise(what, cause, object, peer);
  return `The broker refuses the ${what}, and nothing is published until it does not. The broker says: ${cause}.`;
}

/** The queues that are there are somebody's; only their number stands in the way. */
function atLimit(what: string, cause: string, { vhost }: Peer): string {
  return (
    `The ${what} cannot be made: the broker's limit of queues is reached. The broker says: ${cause}. ` +
    `Raise it: rabbitmqctl set_vhost_limits -p ${shellWord(vhost)} '{"max-queues": -1}' (or what limits the whole broker, in its configuration)`
  );
}

function otherwise(what: string, cause: string, { kind, name }: BrokerObject, { vhost }: Peer): string {
  const wrong = `The ${what} exists on the broker with other properties, and nothing is published until it is right. The broker says: ${cause}.`;
  if (kind === 'exchange') {
    // rabbitmqctl has no command for exchanges.
    return `${wrong} Remove exchange ${name} of virtual host "${vhost}" on the management page; it is then declared anew.`;
  }
  return `${wrong} Drain and remove it (rabbitmqctl delete_queue -p ${shellWord(vhost)} ${name}); it is then declared anew.`;
}
