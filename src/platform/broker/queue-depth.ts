import { AMQPError } from 'rabbitmq-client';
import type { BrokerConnection } from './connect.ts';

/**
 * Messages that are ready in a queue (not those in delivery). A channel of its own, because asking for a queue that does
 * not exist closes it.
 * @returns null when there is no such queue or the broker does not say.
 */
export async function readQueueDepth(connection: BrokerConnection, queue: string): Promise<number | null> {
  try {
    const channel = await connection.acquire();
    try {
      return (await channel.queueDeclare({ queue, passive: true })).messageCount;
    } finally {
      void channel.close();
    }
  } catch (error) {
    if (error instanceof AMQPError || connection.state !== 'connected') return null;
    throw error;
  }
}
