import type { Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { connectBroker } from '../../src/platform/broker/connect.ts';
import { gatherWrites } from '../../src/platform/broker/gather-writes.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createTestVhost } from '../harness/services.ts';

const CLOSE_MS = 2_000;
const BURST = 20;

/** Fails when a new version of the client keeps its socket elsewhere: messages then go out one by one, unnoticed. */
it('sends a burst of messages in one write, and all of them arrive', async () => {
  const vhost = await createTestVhost('empty');
  const connection = connectBroker(vhost.url, 'burst', silentLogger);
  onTestFinished(async () => {
    await connection.close(CLOSE_MS);
    await vhost.delete();
  });
  const channel = await connection.acquire();
  await channel.confirmSelect();
  const { queue } = await channel.queueDeclare({ queue: 'burst', exclusive: true });
  const socket = (channel as unknown as { _conn: { _socket: Socket } })._conn._socket;
  let writes = 0;
  const writev = socket._writev?.bind(socket);
  socket._writev = (chunks, done) => {
    writes++;
    writev?.(chunks, done);
  };
  const gather = gatherWrites(channel);
  await Promise.all(
    Array.from({ length: BURST }, () => {
      gather();
      return channel.basicPublish({ routingKey: queue }, Buffer.from('{}'));
    }),
  );
  expect(writes).toBe(1);
  expect((await channel.queueDeclare({ queue, passive: true })).messageCount).toBe(BURST);
});
