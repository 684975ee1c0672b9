import { Connection } from 'rabbitmq-client';
import { brokerTls } from '../../src/platform/broker/authority.ts';

/** Reads queues as a stranger would: over a connection of its own, with the client as it comes. */
export interface QueueReader {
  /** Takes everything that is in the queue now. @returns message ids in the order of the queue. */
  takeAll(queue: string): Promise<string[]>;
  count(queue: string): Promise<number>;
  readonly client: Connection;
  close(): Promise<void>;
}

export function openQueueReader(url: string): QueueReader {
  const client = new Connection({ url, tls: brokerTls(url), retryLow: 100, retryHigh: 500 });
  client.on('error', () => undefined);
  const count = async (queue: string): Promise<number> => (await client.queueDeclare({ queue, passive: true })).messageCount;
  return {
    client,
    count,
    // Not by basic.get, which a queue with a single active consumer refuses.
    async takeAll(queue) {
      const expected = await count(queue);
      const ids: string[] = [];
      const all = Promise.withResolvers<undefined>();
      const channel = await client.acquire();
      if (expected === 0) all.resolve(undefined);
      const { consumerTag } = await channel.basicConsume({ queue, noAck: true }, (message) => {
        if (ids.push(message.messageId ?? '') >= expected) all.resolve(undefined);
      });
      await all.promise;
      await channel.basicCancel(consumerTag);
      await channel.close();
      return ids;
    },
    close: () => client.close(),
  };
}
