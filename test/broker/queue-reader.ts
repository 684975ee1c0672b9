import { Connection } from 'rabbitmq-client';

/** Reads queues as a stranger would: over a connection of its own, with the client as it comes. */
export interface QueueReader {
  /** Takes everything that is in the queue now. @returns message ids in the order of the queue. */
  takeAll(queue: string): Promise<string[]>;
  count(queue: string): Promise<number>;
  readonly client: Connection;
  close(): Promise<void>;
}

export function openQueueReader(url: string): QueueReader {
  const client = new Connection({ url, retryLow: 100, retryHigh: 500 });
  client.on('error', () => undefined);
  return {
    client,
    async count(queue) {
      return (await client.queueDeclare({ queue, passive: true })).messageCount;
    },
    async takeAll(queue) {
      const ids: string[] = [];
      for (let message = await client.basicGet({ queue, noAck: true }); message !== undefined; message = await client.basicGet({ queue, noAck: true })) {
        ids.push(message.messageId ?? '');
      }
      return ids;
    },
    close: () => client.close(),
  };
}
