import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { disposeClient } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

export function connectionContract(fixture: Fixture): void {
  describe('connecting', () => {
    it('is found by discovery through gossip', async () => {
      const client = EventStoreDBClient.connectionString(fixture.connectionString.replace('esdb://', 'esdb+discover://'));
      const stream = newStream('discover');
      await client.appendToStream(stream, events(1));
      expect(await collect(client.readStream(stream))).toHaveLength(1);
      await disposeClient(client);
    });

    it('tells its version and that it takes batch appends', async () => {
      const capabilities = await (fixture.client as unknown as { capabilities: Promise<{ serverVersion: string }> }).capabilities;
      expect(capabilities.serverVersion).toMatch(/^\d+\.\d+\.\d+$/u);
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
  });
}
