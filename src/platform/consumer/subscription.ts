import { setTimeout as delay } from 'node:timers/promises';
import type { AsyncMessage, Channel } from 'rabbitmq-client';
import type { BrokerConnection } from '../broker/connect.ts';
import { explainRefusal } from '../broker/topology-refusal.ts';
import { withinMs } from '../process/time-limit.ts';
import { createUnacknowledged } from './unacknowledged.ts';

/** A blocked connection or a queue without a leader gives no answer at all. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Quorum queues lose acknowledgements that are sent just before the channel closes; none are lost after this time. */
const ACKNOWLEDGEMENTS_SETTLE_MS = 250;

/** Messages of one queue on one channel. It ends with the channel; the owner opens a new one. */
export interface Subscription {
  /** True once the channel, its connection or the consumer is gone: nothing arrives any more, nothing can be acknowledged. */
  readonly isLost: boolean;
  readonly unacknowledged: number;
  /**
   * Acknowledges deliveries whose outcome is committed. Never throws: on a channel that is gone the acknowledgement is
   * gone too, the broker delivers again and the ledger knows.
   */
  acknowledge(tags: readonly number[]): void;
  /** Lets acknowledgements arrive, then closes; what is not acknowledged goes back to the queue, in order. Never throws. */
  close(): Promise<void>;
}

export interface Subscriber {
  readonly queue: string;
  /** Unacknowledged deliveries at a time. */
  readonly prefetch: number;
  readonly deliver: (message: AsyncMessage) => void;
  /** Told once when the subscription ended without having been closed. */
  readonly lost: () => void;
}

/** @throws when the broker is away or refuses; nothing is left open then. */
export async function subscribe(connection: BrokerConnection, { queue, prefetch, deliver, lost }: Subscriber): Promise<Subscription> {
  const channel = await connection.acquire();
  const unacknowledged = createUnacknowledged();
  let isLost = false;
  let isClosing = false;
  const lose = (): void => {
    isLost = true;
    if (!isClosing) lost();
  };
  channel.once('close', lose);
  // The broker ends a consumer by itself when its queue is deleted or loses its leader; the channel stays open then.
  channel.once('basic.cancel', lose);
  try {
    await withinMs(ANSWER_TIMEOUT_MS, channel.basicQos({ prefetchCount: prefetch }));
    const consuming = channel.basicConsume({ queue }, (message) => {
      unacknowledged.add(message.deliveryTag);
      deliver(message);
    });
    await withinMs(ANSWER_TIMEOUT_MS, consuming);
  } catch (error) {
    await closeChannel(channel);
    throw explainRefusal(error, { kind: 'queue', name: queue }, connection.peer);
  }
  return {
    get isLost() {
      return isLost;
    },
    get unacknowledged() {
      return unacknowledged.size;
    },
    acknowledge(tags) {
      for (const acknowledgement of unacknowledged.settle(tags)) if (channel.active) channel.basicAck(acknowledgement);
    },
    async close() {
      isClosing = true;
      if (channel.active) await delay(ACKNOWLEDGEMENTS_SETTLE_MS);
      await closeChannel(channel);
    },
  };
}

async function closeChannel(channel: Channel): Promise<void> {
  await withinMs(ANSWER_TIMEOUT_MS, channel.close()).catch(() => undefined);
}
