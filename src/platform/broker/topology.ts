import { AMQPError, type Channel, type Cmd, type MethodParams } from 'rabbitmq-client';
import { DependencyUnavailableError, TopologyError } from '../../contracts/errors.ts';
import { deadQueueOf, PAYNOTIFY_DEAD_LETTER_EXCHANGE, PAYNOTIFY_EXCHANGE, QUEUE_DELIVERY_LIMIT } from '../../contracts/topology.ts';
import { pause } from '../process/backoff.ts';
import type { BrokerConnection } from './connect.ts';
import { describeError } from './error-log.ts';
import { withinMs } from '../process/time-limit.ts';

/*
 * Order: exchanges → dead queue → dead binding → module queue → module binding → only then a publish.
 * `mandatory` reports a message that reached no queue; a message that missed one of two queues is reported by nobody.
 * So every module's queue is declared and bound on every (re)connect before the first publish, and bound again while
 * publishing goes on. All of it is idempotent; what exists otherwise than it must be is an error that blocks publishing.
 */

/** Declaring a quorum queue elects a leader, which takes a while on a broker that has just started. */
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * A quorum queue whose broker is killed within about a second of its first declaration comes back without a leader, and
 * what it held is lost (its registry is written to disk every 500 ms). Nothing may be published into it before.
 */
const FIRST_DECLARATION_SETTLE_MS = 1500;

/** Queues that this process declared first, until they are settled; another caller must wait for them as well. */
const settling = new Map<string, Promise<void>>();

type QueueArguments = NonNullable<MethodParams[Cmd.QueueDeclare]['arguments']>;

/** Shared by projector, consumers and the mover of dead messages: a queue declared with other arguments is refused. */
export function moduleQueueArguments(queue: string): QueueArguments {
  return {
    'x-queue-type': 'quorum',
    'x-single-active-consumer': true,
    // Without reject-publish the broker silently dead-letters at most once.
    'x-overflow': 'reject-publish',
    'x-dead-letter-strategy': 'at-least-once',
    'x-dead-letter-exchange': PAYNOTIFY_DEAD_LETTER_EXCHANGE,
    'x-dead-letter-routing-key': deadQueueOf(queue),
    // Explicit, because the default differs between versions: none before 4.0, 20 since.
    'x-delivery-limit': QUEUE_DELIVERY_LIMIT,
  };
}

const DEAD_QUEUE_ARGUMENTS: QueueArguments = { 'x-queue-type': 'quorum' };

/**
 * Declares and binds everything `queues` need: the fanout exchange, the dead-letter exchange, and each queue with its
 * dead queue. Repeating it is harmless. The first declaration ever of a queue waits until a crash of the broker can no
 * longer lose it.
 * @throws TopologyError when something exists otherwise than it must be, or may not be declared: publishing must not begin.
 * @throws DependencyUnavailableError when the broker is away or does not answer in time.
 */
export async function declareTopology(connection: BrokerConnection, queues: readonly string[]): Promise<void> {
  const all = queues.flatMap((queue) => [deadQueueOf(queue), queue]);
  const missing = new Set<string>();
  for (const queue of all) if (!(await queueExists(connection, queue))) missing.add(queue);

  const channel = await connection.acquire();
  try {
    await declareExchange(channel, PAYNOTIFY_EXCHANGE, 'fanout');
    await declareExchange(channel, PAYNOTIFY_DEAD_LETTER_EXCHANGE, 'direct');
    for (const queue of all) {
      await declareQueue(channel, queue, all.includes(deadQueueOf(queue)) ? moduleQueueArguments(queue) : DEAD_QUEUE_ARGUMENTS);
      if (missing.has(queue)) settling.set(queue, pause(FIRST_DECLARATION_SETTLE_MS).finally(() => settling.delete(queue)));
    }
    await assertBindings(channel, queues);
  } finally {
    void channel.close();
  }
  await Promise.all(all.flatMap((queue) => settling.get(queue) ?? []));
}

/**
 * Binds all queues again on an open channel: heals a binding that was removed by hand without waiting for the next
 * reconnect. Cheap enough to be called every second.
 * @throws TopologyError when a queue or exchange is gone or may not be bound (the channel is closed then).
 */
export async function assertBindings(channel: Channel, queues: readonly string[]): Promise<void> {
  for (const queue of queues) {
    const dead = deadQueueOf(queue);
    await bind(channel, dead, PAYNOTIFY_DEAD_LETTER_EXCHANGE, dead);
    await bind(channel, queue, PAYNOTIFY_EXCHANGE, '');
  }
}

/** A passive declaration of a missing queue closes its channel, so each look has a channel of its own. */
async function queueExists(connection: BrokerConnection, queue: string): Promise<boolean> {
  const channel = await connection.acquire();
  try {
    await withinMs(ANSWER_TIMEOUT_MS, channel.queueDeclare({ queue, passive: true }));
    return true;
  } catch (error) {
    if (replyOf(error) === 'NOT_FOUND') return false;
    throw explain(error, `queue "${queue}"`, `rabbitmqctl delete_queue ${queue}`);
  } finally {
    void channel.close();
  }
}

async function declareExchange(channel: Channel, exchange: string, type: 'fanout' | 'direct'): Promise<void> {
  const declared = channel.exchangeDeclare({ exchange, type, durable: true });
  await withinMs(ANSWER_TIMEOUT_MS, declared).catch((error: unknown) => {
    throw explain(error, `exchange "${exchange}" (durable ${type})`, `delete exchange ${exchange} on the management page`);
  });
}

async function declareQueue(channel: Channel, queue: string, args: QueueArguments): Promise<void> {
  const declared = channel.queueDeclare({ queue, durable: true, arguments: args });
  await withinMs(ANSWER_TIMEOUT_MS, declared).catch((error: unknown) => {
    throw explain(error, `queue "${queue}" (durable quorum)`, `rabbitmqctl delete_queue ${queue}`);
  });
}

async function bind(channel: Channel, queue: string, exchange: string, routingKey: string): Promise<void> {
  const bound = channel.queueBind({ queue, exchange, routingKey });
  await withinMs(ANSWER_TIMEOUT_MS, bound).catch((error: unknown) => {
    throw explain(error, `binding of queue "${queue}" to exchange "${exchange}"`, `rabbitmqctl delete_queue ${queue}`);
  });
}

/**
 * | reply               | what it means                      | becomes                    |
 * | ------------------- | ---------------------------------- | -------------------------- |
 * | PRECONDITION_FAILED | it exists with other arguments     | TopologyError              |
 * | ACCESS_REFUSED      | the broker user may not            | TopologyError              |
 * | RESOURCE_LOCKED     | another connection owns it alone   | TopologyError              |
 * | NOT_FOUND           | what is to be bound is gone        | TopologyError              |
 * | anything else       | connection lost, no answer in time | DependencyUnavailableError |
 */
function explain(error: unknown, object: string, removal: string): TopologyError | DependencyUnavailableError {
  const cause = describeError(error);
  switch (replyOf(error)) {
    case 'PRECONDITION_FAILED':
      return new TopologyError(
        `The ${object} exists on the broker with other properties, and nothing is published until it is right. The broker says: ${cause}. ` +
          `Drain and remove it (${removal}); it is then declared anew.`,
        { cause: error },
      );
    case 'ACCESS_REFUSED':
      return new TopologyError(
        `The broker user may not declare or use the ${object}. The broker says: ${cause}. ` +
          `Grant configure, write and read on "^paynotify_" (rabbitmqctl set_permissions).`,
        { cause: error },
      );
    case 'RESOURCE_LOCKED':
      return new TopologyError(`The ${object} belongs to another connection alone. The broker says: ${cause}. Close that connection.`, { cause: error });
    case 'NOT_FOUND':
      return new TopologyError(`The ${object} is not possible, because something was removed. The broker says: ${cause}. It is declared anew.`, { cause: error });
    default:
      return new DependencyUnavailableError('broker', `No answer about the ${object}: ${cause}`, { cause: error });
  }
}

function replyOf(error: unknown): string | null {
  return error instanceof AMQPError ? error.code : null;
}
