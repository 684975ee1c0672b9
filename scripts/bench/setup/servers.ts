import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startEventStoreWorker, type EventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { openDataDirectory, startEmbeddedPostgres, startEmbeddedRabbitMq, type EmbeddedPostgres, type EmbeddedRabbitMq } from '../../../src/platform/embedded/index.ts';
import { writeServerIdentity } from '../../../src/platform/embedded/server-identity.ts';
import { silentLogger } from '../../../src/platform/observe/logger.ts';

/** Servers of the bench's own, exactly as `npm start` runs them, on a fresh directory that goes away with them. */
export interface Servers {
  readonly postgres: EmbeddedPostgres;
  readonly broker: EmbeddedRabbitMq;
  /** Holds the backlog and nothing else, so that every round reads the same log. */
  readonly backlogStore: EventStoreWorker;
  readonly webhookStore: EventStoreWorker;
  /** Without TLS, as another program's tests run it: what TLS costs is measured beside it. */
  readonly plainStore: EventStoreWorker;
  stop(): Promise<void>;
}

const DATA_ROOT = resolve(import.meta.dirname, '../../../.data');

export async function startServers(): Promise<Servers> {
  removeFormerRuns();
  const path = join(DATA_ROOT, `bench-${process.pid}`);
  const directory = await openDataDirectory(path);
  const startPlain = (name: string) => startEventStoreWorker({ port: 0, directory: directory.folder(name) });
  const startStore = (name: string) => startEventStoreWorker({ port: 0, directory: directory.folder(name), identity: writeServerIdentity(directory.folder(`${name}-tls`), 'event store') });
  const options = { directory, log: silentLogger };
  // The broker first: its start takes longest.
  const started = await Promise.allSettled([startEmbeddedRabbitMq(options), startEmbeddedPostgres(options), startStore('backlog'), startStore('webhooks'), startPlain('plain')]);
  const stop = async (): Promise<void> => {
    await Promise.allSettled(started.map(async (server) => (server.status === 'fulfilled' ? server.value.stop() : undefined)));
    directory.release();
    rmSync(path, { recursive: true, force: true });
  };
  const [broker, postgres, backlogStore, webhookStore, plainStore] = started;
  if (broker.status === 'rejected' || postgres.status === 'rejected' || backlogStore.status === 'rejected' || webhookStore.status === 'rejected' || plainStore.status === 'rejected') {
    await stop();
    throw started.find((server) => server.status === 'rejected')?.reason;
  }
  return { postgres: postgres.value, broker: broker.value, backlogStore: backlogStore.value, webhookStore: webhookStore.value, plainStore: plainStore.value, stop };
}

/** A run that was killed leaves its folder behind; its servers have ended with it. */
function removeFormerRuns(): void {
  if (!existsSync(DATA_ROOT)) return;
  for (const name of readdirSync(DATA_ROOT)) {
    const pid = /^bench-(?:store-)?(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(DATA_ROOT, name), { recursive: true, force: true });
  }
}
