import { AMQPError } from 'rabbitmq-client';
import { TimeLimitError, withinMs } from '../process/time-limit.ts';
import type { BrokerConnection } from './connect.ts';

/** A queue without a leader may not answer at all, and whoever asks (reconciler, replays) would wait for ever. */
const ANSWER_TIMEOUT_MS = 3_000;

/**
 * Messages that are ready in a queue (not those in delivery). A channel of its own, because asking for a queue that does
 * not exist closes it.
 * @returns null when there is no such queue or the broker does not say.
 */
export async function readQueueDepth(connection: BrokerConnection, queue: string): Promise<number | null> {
  try {
    const channel = await connection.acquire();
    try {
      return (await withinMs(ANSWER_TIMEOUT_MS, channel.queueDeclare({ queue, passive: true }))).messageCount;
    } finally {
      void channel.close();
    }
  } catch (error) {
    if (error instanceof AMQPError || error instanceof TimeLimitError || connection.state !== 'connected') return null;
    throw error;
  }
}
