import type { Channel, Cmd, MethodParams } from 'rabbitmq-client';
import { deadQueueOf, PAYNOTIFY_DEAD_LETTER_EXCHANGE, PAYNOTIFY_EXCHANGE, QUEUE_DELIVERY_LIMIT } from '../../contracts/topology.ts';
import { pause } from '../process/backoff.ts';
import type { BrokerConnection } from './connect.ts';
import type { Peer } from './peer.ts';
import { explainRefusal, replyOf, type BrokerObject } from './topology-refusal.ts';
import { withinMs } from '../process/time-limit.ts';

/*
 * Order: exchanges → dead queue → dead binding → module queue → module binding → only then a publish.
 * `mandatory` reports a message that reached no queue; a message that missed one of two queues is reported by nobody.
 * So every module's queue is declared and bound on every (re)connect before the first publish, and again while publishing
 * goes on. All of it is idempotent; what exists otherwise than it must be is an error that blocks publishing.
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
    await declareExchange(channel, connection.peer, PAYNOTIFY_EXCHANGE, 'fanout');
    await declareExchange(channel, connection.peer, PAYNOTIFY_DEAD_LETTER_EXCHANGE, 'direct');
    for (const queue of all) {
      await declareQueue(channel, connection.peer, queue, all.includes(deadQueueOf(queue)) ? moduleQueueArguments(queue) : DEAD_QUEUE_ARGUMENTS);
      if (missing.has(queue)) settling.set(queue, pause(FIRST_DECLARATION_SETTLE_MS).finally(() => settling.delete(queue)));
    }
    await bindAll(channel, connection.peer, queues);
  } finally {
    void channel.close();
  }
  await Promise.all(all.flatMap((queue) => settling.get(queue) ?? []));
}

/**
 * Binds all queues again on an open channel, and declares them as they must be: heals a binding that was removed by hand
 * without waiting for the next reconnect, and finds a queue that somebody has replaced by one of another kind. Binding
 * comes first, because declaring would make a queue that is gone anew, with messages of in between missing.
 * Cheap enough to be called every second.
 * @throws TopologyError when a queue or exchange is gone, is another one, or may not be bound (the channel is closed then).
 */
export async function assertTopology(channel: Channel, peer: Peer, queues: readonly string[]): Promise<void> {
  await bindAll(channel, peer, queues);
  for (const queue of queues) {
    await declareQueue(channel, peer, deadQueueOf(queue), DEAD_QUEUE_ARGUMENTS);
    await declareQueue(channel, peer, queue, moduleQueueArguments(queue));
  }
}

async function bindAll(channel: Channel, peer: Peer, queues: readonly string[]): Promise<void> {
  for (const queue of queues) {
    const dead = deadQueueOf(queue);
    await bind(channel, peer, dead, PAYNOTIFY_DEAD_LETTER_EXCHANGE, dead);
    await bind(channel, peer, queue, PAYNOTIFY_EXCHANGE, '');
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
    throw explainRefusal(error, { kind: 'queue', name: queue }, connection.peer);
  } finally {
    void channel.close();
  }
}

function declareExchange(channel: Channel, peer: Peer, exchange: string, type: 'fanout' | 'direct'): Promise<void> {
  return answered(channel.exchangeDeclare({ exchange, type, durable: true }), { kind: 'exchange', name: exchange, as: `durable ${type}` }, peer);
}

function declareQueue(channel: Channel, peer: Peer, queue: string, args: QueueArguments): Promise<void> {
  return answered(channel.queueDeclare({ queue, durable: true, arguments: args }), { kind: 'queue', name: queue, as: 'durable quorum' }, peer);
}

function bind(channel: Channel, peer: Peer, queue: string, exchange: string, routingKey: string): Promise<void> {
  return answered(channel.queueBind({ queue, exchange, routingKey }), { kind: 'binding', name: queue, as: `to exchange "${exchange}"` }, peer);
}

async function answered(asked: Promise<unknown>, object: BrokerObject, peer: Peer): Promise<void> {
  await withinMs(ANSWER_TIMEOUT_MS, asked).catch((error: unknown) => {
    throw explainRefusal(error, object, peer);
  });
}
