import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE } from '../../../src/event-store-server/calls/read-events.ts';
import { EventStore } from '../../../src/event-store-server/store/event-store.ts';
import { StoreError } from '../../../src/event-store-server/store/store-error.ts';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import type { ProposedEvent } from '../../../src/event-store-server/wire/proposed-event.ts';
import { CONCURRENCY } from '../setup/counts.ts';
import { succeededEvent } from '../setup/payments.ts';
import { measureThroughClient } from './size-through-client.ts';

/** A payment's stream holds two events; so the larger store has more streams, not longer ones. */
const EVENTS_PER_STREAM = 2;
const FILE_NAME = 'events.sqlite';
const SMALL_EVENTS = 10_000;
/** Commits while building: large, since nobody waits for an answer. */
const BUILD_GROUP = 512;
const PIECE_BYTES = 1024 * 1024;
const OPENINGS = 3;
const ROUNDS = 5;
const APPEND_GROUPS = 16;
const STREAM_READS = 1_000;
const PAGE_READS = 50;
/** A prime that divides no number of streams here: its multiples visit them all, far from one another. */
const STRIDE = 7_919;

export interface SizeCosts {
  readonly events: number;
  readonly fileMiB: number;
  /** Until the worker thread listens, and of that the opening of the files; and that with none of them in the system's memory. */
  readonly startMs: readonly number[];
  readonly openMs: readonly number[];
  readonly openColdMs: readonly number[];
  /** µs through the official client and its connection, to and from old streams all over the log. */
  readonly clientAppendUs: readonly number[];
  readonly clientReadUs: readonly number[];
  /** µs per event appended in groups of CONCURRENCY, each with its fsync: to new streams, and to old ones all over the log. */
  readonly appendNewUs: readonly number[];
  readonly appendOldUs: readonly number[];
  /** µs per stream of two events, and per event of a page of $all, from places all over the log. */
  readonly streamReadUs: readonly number[];
  readonly pageReadUs: readonly number[];
}

/** Cost at a large and a small number of events: in the store's own code alone, and as the official client sees it. */
export async function measureSizes(directory: string, events: number, say: (text: string) => void): Promise<{ large: SizeCosts; small: SizeCosts }> {
  const startedAt = performance.now();
  const large = await prepareSize(join(directory, 'large'), events);
  say(`built a store of ${events} events (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  const small = await prepareSize(join(directory, 'small'), SMALL_EVENTS);
  for (let round = -1; round < ROUNDS; round++) {
    // In turns, so that a busy minute disturbs both; the first round compiles.
    for (const size of round % 2 === 0 ? [large, small] : [small, large]) measureRound(size, round >= 0);
  }
  for (const { store } of [large, small]) store.close();
  await measureThroughClient([large, small], ROUNDS, { streamName, firstRevision: EVENTS_PER_STREAM - 1 });
  return { large: large.costs, small: small.costs };
}

interface Size {
  readonly directory: string;
  readonly store: EventStore;
  readonly streams: number;
  readonly revisions: Map<number, number>;
  readonly costs: SizeCosts & Record<'appendNewUs' | 'appendOldUs' | 'streamReadUs' | 'pageReadUs' | 'clientAppendUs' | 'clientReadUs', number[]>;
  /** Streams made since, and turns taken through those that were there. */
  added: number;
  next: number;
}

async function prepareSize(directory: string, events: number): Promise<Size> {
  build(directory, events);
  const [startMs, openMs, openColdMs]: [number[], number[], number[]] = [[], [], []];
  for (let opening = 0; opening < OPENINGS; opening++) {
    startMs.push(await timeMs(async () => startEventStoreWorker({ port: 0, directory }), (worker) => worker.stop()));
    openMs.push(await timeMs(async () => open(directory), async (store) => store.close()));
    dropFromMemory(join(directory, FILE_NAME));
    openColdMs.push(await timeMs(async () => open(directory), async (store) => store.close()));
  }
  bringToMemory(join(directory, FILE_NAME));
  const fileMiB = statSync(join(directory, FILE_NAME)).size / 1024 / 1024;
  const costs = { events, fileMiB, startMs, openMs, openColdMs, clientAppendUs: [], clientReadUs: [], appendNewUs: [], appendOldUs: [], streamReadUs: [], pageReadUs: [] };
  return { directory, store: open(directory), streams: events / EVENTS_PER_STREAM, revisions: new Map(), costs, added: 0, next: 0 };
}

function open(directory: string): EventStore {
  return new EventStore(directory, Date.now, (error) => {
    throw error;
  });
}

/** GNU dd tells the operating system to forget the file's pages. Where there is none, the file stays as warm as it was. */
function dropFromMemory(file: string): void {
  spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
}

/** What follows measures the store, and not the disk. */
function bringToMemory(file: string): void {
  const descriptor = openSync(file, 'r');
  const piece = Buffer.alloc(PIECE_BYTES);
  while (readSync(descriptor, piece) > 0);
  closeSync(descriptor);
}

function build(directory: string, events: number): void {
  const store = open(directory);
  for (let stream = 0; stream < events / EVENTS_PER_STREAM; stream++) {
    append(store, stream, 'no_stream', EVENTS_PER_STREAM);
    if (stream % BUILD_GROUP === 0) store.flush();
  }
  store.close();
}

const streamName = (index: number): string => `payment-large-${index}`;
const { type, data, metadata } = succeededEvent('large', 0);
const TEMPLATE = { type, isJson: true, data: Buffer.from(JSON.stringify(data)), metadata: Buffer.from(JSON.stringify(metadata)) };
const newEvent = (): ProposedEvent => ({ ...TEMPLATE, id: randomUUID() });

/** Queued only; the store's flush commits. */
function append(store: EventStore, stream: number, expected: 'no_stream' | bigint, count: number): void {
  store.append({ streamName: streamName(stream), expected }, Array.from({ length: count }, newEvent), { open: true }, (outcome) => {
    if (outcome instanceof StoreError || outcome.kind !== 'stored') throw new Error(`an append to ${streamName(stream)} was refused`);
  });
}

function measureRound(size: Size, counts: boolean): void {
  const appendUs = (appendOne: (size: Size) => void): number =>
    perUnitUs(APPEND_GROUPS * CONCURRENCY, () => {
      for (let group = 0; group < APPEND_GROUPS; group++) appendGroup(size, appendOne);
    });
  const [appendNewUs, appendOldUs] = [appendUs(appendToNew), appendUs(appendToOld)];
  const streamReadUs = perUnitUs(STREAM_READS, () => {
    for (let read = 0; read < STREAM_READS; read++) readStream(size);
  });
  const pageReadUs = perUnitUs(PAGE_READS * PAGE.entriesMax, () => {
    for (let read = 0; read < PAGE_READS; read++) readPage(size, read);
  });
  if (!counts) return;
  size.costs.appendNewUs.push(appendNewUs);
  size.costs.appendOldUs.push(appendOldUs);
  size.costs.streamReadUs.push(streamReadUs);
  size.costs.pageReadUs.push(pageReadUs);
}

const nextStream = (size: Size): number => (size.next++ * STRIDE) % size.streams;

function appendGroup(size: Size, appendOne: (size: Size) => void): void {
  for (let index = 0; index < CONCURRENCY; index++) appendOne(size);
  size.store.flush();
}

/** As a new payment does. Its number lies behind those of the streams that are there. */
function appendToNew(size: Size): void {
  append(size.store, size.streams + size.added++, 'no_stream', 1);
}

function appendToOld(size: Size): void {
  const stream = nextStream(size);
  const revision = size.revisions.get(stream) ?? EVENTS_PER_STREAM - 1;
  append(size.store, stream, BigInt(revision), 1);
  size.revisions.set(stream, revision + 1);
}

function readStream(size: Size): void {
  const page = size.store.streamForwards(streamName(nextStream(size)), 0, PAGE);
  if (page.kind !== 'page' || page.entries.length < EVENTS_PER_STREAM) throw new Error('a stream is not what was written');
}

/** From the first half of the log, so that each page is full. */
function readPage({ store }: Size, read: number): void {
  const from = Math.floor((store.headPosition() / 2 / PAGE_READS) * read);
  if (store.allForwards(from, { ...PAGE, bytesMax: Infinity }).length !== PAGE.entriesMax) throw new Error('a page of the log is not full');
}

function perUnitUs(units: number, work: () => void): number {
  const startedAt = performance.now();
  work();
  return ((performance.now() - startedAt) * 1000) / units;
}

async function timeMs<T>(start: () => Promise<T>, end: (started: T) => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  const started = await start();
  const ms = performance.now() - startedAt;
  await end(started);
  return ms;
}
