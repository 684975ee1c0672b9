import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import { openConnection } from '../../src/platform/event-store/connection.ts';

/**
 * Subscribes, and reads twice, in a process of its own: with the bare client, or with that of a connection of ours. Every
 * error is listened for, so the process ends by itself only by what nobody can catch. Tells its parent of each.
 */
const [url = '', how = ''] = process.argv.slice(2);
const READS = 2;

process.once('disconnect', () => process.exit(0));
const client = how === 'guarded' ? openConnection(url).client : EventStoreDBClient.connectionString(url);

const subscription = client.subscribeToAll();
subscription.on('error', (error: Error) => process.send?.(`subscription: ${error.message}`));
await new Promise((confirmed) => subscription.once('confirmation', confirmed));
for (let read = 0; read < READS; read++) {
  const failed = Promise.withResolvers<Error>();
  client.readAll({ maxCount: 1 }).on('error', failed.resolve);
  const { message } = await failed.promise;
  process.send?.(`read: ${message}`);
  await delay(1);
}
