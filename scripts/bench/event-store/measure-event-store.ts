import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startEventStoreWorker, type EventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { writeServerIdentity } from '../../../src/platform/embedded/server-identity.ts';
import { EVENT_STORE_THREAD } from '../measure/cpu.ts';
import { appendBacklog } from '../setup/backlog.ts';
import type { StoreCounts } from '../setup/counts.ts';
import { appendWork, filteredWork, readAllWork, subscribeWork } from './client-work.ts';
import { compare, type ComparedRound, type Contestant } from './compare.ts';
import { measureSizes, type SizeCosts } from './large-store.ts';
import { measureLoopDelays, type Delays } from './loop-delay.ts';
import { NULL_STORE_THREAD, startNullStore } from './null-store.ts';
import { recordAnswers } from './record-answers.ts';

export interface StoreResults {
  /** By name of the work. */
  readonly compared: Readonly<Record<string, readonly ComparedRound[]>>;
  /** With TLS, and in the place of the limit the same store without. */
  readonly secured: Readonly<Record<string, readonly ComparedRound[]>>;
  readonly sizes: { readonly large: SizeCosts; readonly small: SizeCosts };
  readonly delays: readonly Delays[];
}

const EVENTS_PER_PAYMENT = 2;

/** The embedded event store by itself, on a fresh directory, before any other server of the bench runs. */
export async function measureEventStore(counts: StoreCounts, say: (text: string) => void): Promise<StoreResults> {
  const directory = resolve(import.meta.dirname, `../../../.data/bench-store-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  try {
    say('event store: beside a server that does nothing');
    const compared = await compareWithNothing(directory, counts);
    say('event store: with TLS, beside itself without');
    const secured = await compareWithPlain(directory, counts);
    say(`event store: at ${counts.largeEvents} events`);
    const sizes = await measureSizes(directory, counts.largeEvents, say);
    say("event store: delay of the application's event loop");
    return { compared, secured, sizes, delays: await measureLoopDelays(directory, counts.delayMs) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compareWithPlain(directory: string, counts: StoreCounts): Promise<Record<string, ComparedRound[]>> {
  const folder = join(directory, 'tls');
  mkdirSync(folder);
  const stores = [undefined, writeServerIdentity(folder, 'event store')].map((identity, index) =>
    startEventStoreWorker({ port: 0, directory: join(directory, `secured-${index}`), ...(identity === undefined ? {} : { identity }) }));
  const [plain, secured] = (await Promise.all(stores)) as [EventStoreWorker, EventStoreWorker];
  const contestant = ({ connectionString }: EventStoreWorker): Contestant => ({ connectionString, thread: EVENT_STORE_THREAD });
  const work = appendWork(counts.appends);
  const compared = { [work.name]: await compare(work, contestant(secured), contestant(plain), counts.rounds) };
  await Promise.all([plain.stop(), secured.stop()]);
  return compared;
}

async function compareWithNothing(directory: string, counts: StoreCounts): Promise<Record<string, ComparedRound[]>> {
  const fresh = await startEventStoreWorker({ port: 0, directory: join(directory, 'append') });
  const filled = await startEventStoreWorker({ port: 0, directory: join(directory, 'log') });
  await appendBacklog(filled, 'log', counts.logEvents / EVENTS_PER_PAYMENT);
  // And the event that every store begins with.
  const logged = counts.logEvents + 1;
  const nothing = await startNullStore(await recordAnswers(filled.port, logged));
  const limit = { connectionString: nothing.connectionString, thread: NULL_STORE_THREAD };
  const compared: Record<string, ComparedRound[]> = {};
  for (const [store, work] of [
    [fresh, appendWork(counts.appends)],
    [filled, subscribeWork(logged)],
    [filled, filteredWork(logged)],
    [filled, readAllWork(logged)],
  ] as const) {
    compared[work.name] = await compare(work, { connectionString: store.connectionString, thread: EVENT_STORE_THREAD }, limit, counts.rounds);
  }
  await Promise.all([fresh.stop(), filled.stop(), nothing.stop()]);
  return compared;
}
