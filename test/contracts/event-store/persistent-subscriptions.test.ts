import { EventStoreDBClient, persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults } from '@eventstore/db-client';
import type { PersistentSubscriptionToAll, PersistentSubscriptionToStream } from '@eventstore/db-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import type { EventStoreServer } from '../../../src/event-store-server/server.ts';
import { disposeClient } from './server-under-test.ts';

type PersistentSubscription = PersistentSubscriptionToAll | PersistentSubscriptionToStream;

const UNIMPLEMENTED = 12;

let server: EventStoreServer;
let client: EventStoreDBClient;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
});
afterAll(async () => {
  await disposeClient(client);
  await server.close();
});

const toStream = persistentSubscriptionToStreamSettingsFromDefaults();
const toAll = persistentSubscriptionToAllSettingsFromDefaults();

/** A persistent subscription tells by an event how it ended. */
const errorOf = (subscription: PersistentSubscription): Promise<never> => new Promise((_resolve, reject) => void subscription.once('error', reject));

it.each<[string, () => Promise<unknown>]>([
  ['createPersistentSubscriptionToStream', () => client.createPersistentSubscriptionToStream('s', 'g', toStream)],
  ['createPersistentSubscriptionToAll', () => client.createPersistentSubscriptionToAll('g', toAll)],
  ['updatePersistentSubscriptionToStream', () => client.updatePersistentSubscriptionToStream('s', 'g', toStream)],
  ['updatePersistentSubscriptionToAll', () => client.updatePersistentSubscriptionToAll('g', toAll)],
  ['deletePersistentSubscriptionToStream', () => client.deletePersistentSubscriptionToStream('s', 'g')],
  ['deletePersistentSubscriptionToAll', () => client.deletePersistentSubscriptionToAll('g')],
  ['subscribeToPersistentSubscriptionToStream', () => errorOf(client.subscribeToPersistentSubscriptionToStream('s', 'g'))],
  ['subscribeToPersistentSubscriptionToAll', () => errorOf(client.subscribeToPersistentSubscriptionToAll('g'))],
  ['getPersistentSubscriptionToStreamInfo', () => client.getPersistentSubscriptionToStreamInfo('s', 'g')],
  ['getPersistentSubscriptionToAllInfo', () => client.getPersistentSubscriptionToAllInfo('g')],
  ['replayParkedMessagesToStream', () => client.replayParkedMessagesToStream('s', 'g')],
  ['replayParkedMessagesToAll', () => client.replayParkedMessagesToAll('g')],
  ['listAllPersistentSubscriptions', () => client.listAllPersistentSubscriptions()],
  ['listPersistentSubscriptionsToStream', () => client.listPersistentSubscriptionsToStream('s')],
  ['listPersistentSubscriptionsToAll', () => client.listPersistentSubscriptionsToAll()],
  ['restartPersistentSubscriptionSubsystem', () => client.restartPersistentSubscriptionSubsystem()],
])('%s says that the embedded store does not offer it', async (_name, call) => {
  const message = expect.stringMatching(/the embedded event store does not offer .*PersistentSubscriptions\/[A-Z]\w+/u) as string;
  await expect(call()).rejects.toMatchObject({ code: UNIMPLEMENTED, message });
});
