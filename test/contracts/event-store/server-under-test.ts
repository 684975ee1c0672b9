import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, beforeAll } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';

/** A client that is disposed of may wait for ever on a read that was left early; the next test does not. */
const DISPOSE_MAX_MS = 2_000;

export interface ServerUnderTest {
  name: string;
  /** True for a server that other people's data may be in; its $all is then not read from the start. */
  shared: boolean;
  start(): Promise<{ connectionString: string; stop(): Promise<void> }>;
}

async function startInMemory(): ReturnType<ServerUnderTest['start']> {
  const server = await startEventStoreServer({ port: 0, directory: null });
  return { connectionString: `esdb://127.0.0.1:${server.port}?tls=false`, stop: () => server.close() };
}

async function startOnDisk(): ReturnType<ServerUnderTest['start']> {
  const directory = await mkdtemp(join(tmpdir(), 'event-store-contract-'));
  const server = await startEventStoreServer({ port: 0, directory });
  const stop = async (): Promise<void> => {
    await server.close();
    await rm(directory, { recursive: true });
  };
  return { connectionString: `esdb://127.0.0.1:${server.port}?tls=false`, stop };
}

/** EVENTSTORE_URL names a real server; without it, both forms of the embedded one are tested. */
export function serversUnderTest(): ServerUnderTest[] {
  const url = process.env['EVENTSTORE_URL'];
  if (url !== undefined && url !== '') {
    return [{ name: 'the server at EVENTSTORE_URL', shared: true, start: async () => ({ connectionString: url, stop: async () => {} }) }];
  }
  return [
    { name: 'the embedded store in memory', shared: false, start: startInMemory },
    { name: 'the embedded store on disk', shared: false, start: startOnDisk },
  ];
}

/** What a suite gets: a running server and a client on it, from before its first test until after its last. */
export interface Fixture {
  readonly client: EventStoreDBClient;
  readonly connectionString: string;
  readonly shared: boolean;
}

export function useServer(server: ServerUnderTest): Fixture {
  let running: Awaited<ReturnType<ServerUnderTest['start']>>;
  let client: EventStoreDBClient;
  beforeAll(async () => {
    running = await server.start();
    client = EventStoreDBClient.connectionString(running.connectionString);
  });
  afterAll(async () => {
    await disposeClient(client);
    await running.stop();
  });
  return {
    get client() {
      return client;
    },
    get connectionString() {
      return running.connectionString;
    },
    shared: server.shared,
  };
}

export async function disposeClient(client: EventStoreDBClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, DISPOSE_MAX_MS)));
  await Promise.race([client.dispose(), limit]);
  clearTimeout(timer);
}
