import { once } from 'node:events';
import { EventStoreDBClient, StreamNotFoundError, WrongExpectedVersionError, jsonEvent } from '@eventstore/db-client';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { disposeClient } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

interface Capabilities {
  readonly serverVersion: string;
  supports(method: object, feature?: string): boolean;
}

const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'it succeeded', (error: unknown) => error);

/** What the client keeps as long as it takes its connection for good. */
const channelOf = (client: EventStoreDBClient): Promise<unknown> => (client as unknown as { getChannel(): Promise<unknown> }).getChannel();

export function connectionContract(fixture: Fixture): void {
  describe('connecting', () => connecting(fixture));
  describe('staying connected', () => stayingConnected(fixture));
}

function connecting(fixture: Fixture): void {
  it('is found by discovery through gossip', async () => {
    const client = EventStoreDBClient.connectionString(fixture.connectionString.replace('esdb://', 'esdb+discover://'));
    const stream = newStream('discover');
    await client.appendToStream(stream, events(1));
    expect(await collect(client.readStream(stream))).toHaveLength(1);
    await disposeClient(client);
  });

  it('tells its version and that it takes batch appends', async () => {
    const capabilities = await (fixture.client as unknown as { capabilities: Promise<Capabilities> }).capabilities;
    expect(capabilities.serverVersion).toMatch(/^\d+\.\d+\.\d+$/u);
    expect(capabilities.supports(StreamsService.batchAppend)).toBe(true);
    expect(capabilities.supports(StreamsService.batchAppend, 'deadline_duration')).toBe(true);
  });

  it('serves many clients at once', async () => {
    const stream = newStream('clients');
    const clients = Array.from({ length: 10 }, () => EventStoreDBClient.connectionString(fixture.connectionString));
    await Promise.all(clients.map((client, index) => client.appendToStream(stream, jsonEvent({ type: 'FromClient', data: { index } }))));
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(10);
    await Promise.all(clients.map(disposeClient));
  });

  it('keeps more calls waiting than the hundred that run on one connection, and serves them all', async () => {
    const stream = newStream('hundred');
    await fixture.client.appendToStream(stream, events(1));
    const reads = await Promise.all(Array.from({ length: 250 }, () => collect(fixture.client.readStream(stream))));
    expect(reads.every((read) => read.length === 1)).toBe(true);
  });
}

function stayingConnected(fixture: Fixture): void {
  it('stays connected when calls are refused', async () => {
    const stream = newStream('refused');
    await fixture.client.appendToStream(stream, events(1));
    const before = await channelOf(fixture.client);
    expect(await failure(collect(fixture.client.readStream(newStream('refused'))))).toBeInstanceOf(StreamNotFoundError);
    expect(await failure(fixture.client.deleteStream(newStream('refused')))).toBeInstanceOf(WrongExpectedVersionError);
    expect(await failure(fixture.client.appendToStream(stream, events(1), { expectedRevision: 'no_stream' }))).toBeInstanceOf(WrongExpectedVersionError);
    expect(await channelOf(fixture.client)).toBe(before);
  });

  it('ends subscriptions without an error when their client is disposed of, which can be used again', async () => {
    const client = EventStoreDBClient.connectionString(fixture.connectionString);
    const stream = newStream('dispose');
    await client.appendToStream(stream, events(2));
    const ends = [client.subscribeToStream(stream), client.subscribeToStream(newStream('dispose')), client.subscribeToAll()].map(async (subscription) => {
      subscription.on('data', () => undefined);
      await once(subscription, 'confirmation');
      await once(subscription, 'end');
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await disposeClient(client);
    await Promise.all(ends);
    expect(await client.appendToStream(stream, events(1))).toMatchObject({ success: true, nextExpectedRevision: 2n });
    await disposeClient(client);
  });

  it('takes subscriptions that are opened and closed again and again between classic appends', async () => {
    const credentials = { username: 'nobody', password: 'unused' };
    for (let round = 0; round < 40; round++) {
      const stream = newStream('rounds');
      const batches = [events(3), events(7)] as const;
      await fixture.client.appendToStream(stream, batches[0], { expectedRevision: 'no_stream', credentials });
      const subscription = fixture.client.subscribeToStream(stream);
      const seen: (string | undefined)[] = [];
      for await (const { event } of subscription) {
        if (seen.push(event?.id) === 3) await fixture.client.appendToStream(stream, batches[1], { expectedRevision: 2n, credentials });
        if (seen.length === 10) break;
      }
      await subscription.unsubscribe();
      expect(seen).toEqual(batches.flat().map(({ id }) => id));
    }
  });
}
