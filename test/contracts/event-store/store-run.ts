import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { EventStore } from '../../../src/event-store-server/store/event-store.ts';
import type { StreamPage } from '../../../src/event-store-server/store/event-store.ts';
import { StoreError } from '../../../src/event-store-server/store/store-error.ts';
import type { WriteOutcome } from '../../../src/event-store-server/store/stream-writer.ts';
import type { ProposedEvent } from '../../../src/event-store-server/wire/proposed-event.ts';
import { recordedEventId } from '../../../src/event-store-server/wire/recorded-event.ts';
import type { ExpectedRevision } from '../../../src/event-store-server/wire/write-options.ts';
import { failCommits } from './failing-commits.ts';
import { randomFrom } from './random-from.ts';
import { StoreModel } from './store-model.ts';
import type { ModelEvent, ModelOutcome } from './store-model.ts';

const STREAMS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const NAMES = [...STREAMS, ...STREAMS.map((name) => `$$${name}`), 'never written'];
/** Fewer than there are names, and more than one write needs. */
const REMEMBERED_STREAMS = 12;
const FILES = ['events.sqlite', 'events.sqlite-wal'] as const;
const ALL = { entriesMax: 10_000, bytesMax: Infinity };

const TO_FORMAT_1 = `
  CREATE UNIQUE INDEX events_by_stream ON events (stream_id, revision);
  DROP TABLE stream_index;
  DROP TABLE index_progress;
  ALTER TABLE streams ADD COLUMN tombstoned INTEGER NOT NULL DEFAULT 0;
  PRAGMA user_version = 1;
`;

/** What all runs together have met, so that a changed choice of numbers cannot make them easy. */
export const met = { halfMerged: 0, failedCommits: 0, retries: 0, hiddenRetries: 0, buried: 0, upgrades: 0 };

/**
 * One random life of a store beside the lists of its model. Its index is merged all the time, and it remembers few streams.
 * Commits fail before and after a slice of a merge; the store is closed, killed in any state, and taken back to the old format.
 */
export class StoreRun {
  readonly #random: (below: number) => number;
  readonly #model = new StoreModel();
  readonly #bounds;
  /** Appends of before, to be sent again. */
  readonly #sent: { stream: string; expected: ExpectedRevision; events: ProposedEvent[] }[] = [];
  readonly #root: string;
  #directory: string;
  #store: EventStore;
  #ids = 0;
  /** Positions that were answered, and the events that they are to be of. */
  #answered: [position: number, event: ModelEvent | null][] = [];
  /** Where the store said that the next event will be. */
  #promised: number | null = null;

  /** All its directories are made in `root`; those of a run that fails stay there. */
  constructor(seed: number, root: string) {
    this.#random = randomFrom(seed);
    this.#root = root;
    this.#directory = this.#newDirectory();
    this.#bounds = { mergeAtEntries: 4 + this.#random(80), sliceEntries: 1 + this.#random(8), rememberedStreams: REMEMBERED_STREAMS };
    this.#store = this.#open(this.#directory);
    const [first] = this.#store.allForwards(0, ALL);
    if (first === undefined) throw new Error('a fresh store holds one event');
    this.#model.append(this.#store.streamName(first.streamId), 'any', [{ ...this.#newEvent('{}'), id: recordedEventId(first.record) }]);
    this.#expectLog(this.#store);
  }

  turn(): void {
    this.#model.nowMs += this.#random(3) * 400;
    const failures = this.#random(6) === 0 ? 1 + this.#random(3) : 0;
    if (failures > 0) failCommits({ left: failures, afterSlice: this.#random(2) === 0, seen: () => this.#commitFailed() });
    for (let writes = this.#random(3); writes >= 0; writes--) this.#write(failures > 0);
    this.#store.flush();
    failCommits(null);
    this.#expectLog(this.#store);
    for (let reads = 0; reads < 4; reads++) this.#expectRead(this.#store, this.#pick(NAMES));
    if (this.#random(8) === 0) this.#openAnew();
  }

  end(): void {
    this.#expectEverything(this.#store);
    this.#store.close();
    rmSync(this.#directory, { recursive: true });
  }

  #open(directory: string): EventStore {
    return new EventStore(directory, () => this.#model.nowMs, (error) => expect.fail(error.message), this.#bounds);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)] as T;
  }

  #newEvent(data: string): ProposedEvent {
    const id = `00000000-0000-4000-8000-${String(this.#ids++).padStart(12, '0')}`;
    return { id, type: 'Tested', isJson: true, data: Buffer.from(data), metadata: Buffer.alloc(0) };
  }

  #write(mayFail: boolean): void {
    const stream = this.#pick(STREAMS);
    const caller = { open: true };
    const kind = this.#random(120);
    const expected = this.#expectation(stream);
    if (kind === 0) this.#store.tombstone({ streamName: stream, expected }, caller, this.#answer(mayFail, () => this.#model.tombstone(stream, expected)));
    else if (kind < 8) this.#store.softDelete({ streamName: stream, expected }, caller, this.#answer(mayFail, () => this.#model.softDelete(stream, expected)));
    else {
      const append = kind < 40 && this.#sent.length > 0 ? this.#again() : kind < 55 ? this.#newMetadata(stream) : this.#newAppend(stream, expected);
      this.#sent.push(append);
      const answer = this.#answer(mayFail, () => this.#model.append(append.stream, append.expected, append.events));
      this.#store.append({ streamName: append.stream, expected: append.expected }, append.events, caller, answer);
    }
  }

  #expectation(stream: string): ExpectedRevision {
    const last = this.#model.events(stream).length - 1;
    const kind = this.#random(12);
    if (kind < 3) return 'any';
    if (kind === 3) return 'stream_exists';
    if (kind === 4) return BigInt(this.#random(last + 3));
    return kind === 5 || last < 0 ? 'no_stream' : BigInt(last);
  }

  #newAppend(stream: string, expected: ExpectedRevision) {
    const count = this.#random(15) === 0 ? this.#random(40) : 1 + this.#random(3);
    return { stream, expected, events: Array.from({ length: count }, () => this.#newEvent('{}')) };
  }

  #newMetadata(stream: string) {
    const some = (field: string, value: number): object => (this.#random(2) === 0 ? { [field]: value } : {});
    const count = this.#model.events(stream).length;
    const metadata = { ...some('$tb', this.#random(count + 3)), ...some('$maxCount', 1 + this.#random(6)), ...some('$maxAge', 1 + this.#random(9)) };
    return { stream: `$$${stream}`, expected: 'any' as const, events: [this.#newEvent(JSON.stringify(metadata))] };
  }

  #again() {
    const sent = this.#pick(this.#sent);
    const way = this.#random(6);
    if (way === 0) return { ...sent, expected: 'any' as const };
    if (way === 1) return { ...sent, events: sent.events.slice(0, -1) };
    return way === 2 ? { ...sent, events: [...sent.events, this.#newEvent('{}')] } : sent;
  }

  /** Answers come in the order of the commits, and the model takes each write when it is answered. */
  #answer(mayFail: boolean, apply: () => ModelOutcome) {
    return (outcome: WriteOutcome | StoreError): void => {
      if (outcome instanceof StoreError) {
        expect([outcome.code, mayFail]).toEqual(['full', true]);
        return;
      }
      const eventsBefore = this.#model.log.length;
      const expected = apply();
      if (expected.kind !== 'stored' || outcome.kind !== 'stored') {
        expect(outcome).toEqual(expected);
        return;
      }
      expect(outcome.revision).toBe(expected.revision);
      expect(outcome.position === null).toBe(expected.hidden === true);
      if (outcome.position === null) met.hiddenRetries++;
      else this.#answered.push([outcome.position, expected.at]);
      if (this.#model.log.length === eventsBefore) met.retries++;
      if (outcome.revision === Number.MAX_SAFE_INTEGER) met.buried++;
    };
  }

  /** Runs inside the failing commit: what is on the disk then is what was answered before. */
  #commitFailed(): void {
    met.failedCommits++;
    if (this.#random(3) === 0) this.#expectAfterKill();
  }

  #openAnew(): void {
    const way = this.#random(4);
    if (way === 0) return this.#expectAfterKill();
    if (way === 1) {
      const image = this.#image();
      this.#store.close();
      rmSync(this.#directory, { recursive: true });
      this.#directory = image;
    } else {
      this.#store.close();
      if (way === 2) this.#backToFormat1();
    }
    this.#store = this.#open(this.#directory);
    this.#model.forgetIds();
    this.#expectEverything(this.#store);
    // A position once named as the next one stays so over a kill, a clean end and an upgrade.
    expect(this.#store.nextPosition()).toBe(this.#promised);
  }

  #backToFormat1(): void {
    const database = new DatabaseSync(join(this.#directory, FILES[0]));
    database.exec(TO_FORMAT_1);
    database.close();
    met.upgrades++;
  }

  #newDirectory(): string {
    return mkdtempSync(join(this.#root, 'store-'));
  }

  /** The files as they are is what a process killed now would leave. */
  #image(): string {
    const image = this.#newDirectory();
    for (const file of FILES) copyFileSync(join(this.#directory, file), join(image, file));
    return image;
  }

  #expectAfterKill(): void {
    const image = this.#image();
    const store = this.#open(image);
    this.#expectEverything(store);
    store.close();
    met.halfMerged += isHalfMerged(join(image, FILES[0])) ? 1 : 0;
    rmSync(image, { recursive: true });
  }

  /** $all is what was committed, in that order; the positions of what is new are learnt from it. */
  #expectLog(store: EventStore): void {
    const { log } = this.#model;
    const from = log.findIndex(({ position }) => position === 0);
    const known = from === -1 ? log.length : from;
    const entries = store.allForwards((log[known - 1]?.position ?? 0) + 1, ALL);
    const shown = entries.map((entry) => `${store.streamName(entry.streamId)}/${entry.revision}`);
    expect(shown).toEqual(log.slice(known).map(({ stream, revision }) => `${stream}/${revision}`));
    if (entries.length > 0 && this.#promised !== null) expect(entries[0]?.position).toBe(this.#promised);
    this.#promised = store.nextPosition();
    for (const [index, { position, record }] of entries.entries()) {
      const event = log[known + index] as ModelEvent;
      if (event.id !== null) expect(recordedEventId(record)).toBe(event.id);
      expect(position).toBeGreaterThan(log[known + index - 1]?.position ?? 0);
      event.position = position;
    }
    for (const [position, event] of this.#answered.splice(0)) expect(position).toBe(event?.position ?? 0);
  }

  #expectEverything(store: EventStore): void {
    const positions = this.#model.log.filter(({ position }) => position > 0).map(({ position }) => position);
    expect(positionsOf(store.allForwards(0, ALL))).toBe(positions.join());
    expect(positionsOf(store.allBackwards(Infinity, ALL))).toBe(positions.toReversed().join());
    expect(positions.every((position) => store.hasEventAt(position) && !store.hasEventAt(position + 1))).toBe(true);
    for (const stream of NAMES) {
      expect(store.lastRevision(stream)).toBe(this.#model.events(stream).length - 1);
      this.#expectRead(store, stream);
      this.#expectPages(store, stream);
    }
  }

  #expectRead(store: EventStore, stream: string): void {
    const readable = this.#model.readable(stream);
    const last = this.#model.events(stream).length - 1;
    const limit = { entriesMax: this.#pick([1, 2, 3, 8, 100]), bytesMax: Infinity };
    const from = this.#random(last + 3);
    const [forwards, backwards] = [store.streamForwards(stream, from, limit), store.streamBackwards(stream, from, limit)];
    if (typeof readable === 'string') {
      expect([forwards, backwards]).toEqual([{ kind: readable }, { kind: readable }]);
      return;
    }
    const { events, visible } = readable;
    const up = events.filter(({ revision }) => revision >= from).slice(0, limit.entriesMax);
    const down = events.filter(({ revision }) => revision <= from).toReversed().slice(0, limit.entriesMax);
    const [upTo, downTo] = [up.at(-1)?.revision ?? last, down.at(-1)?.revision ?? 0];
    expectPage(forwards, up.filter(visible), upTo >= last ? null : upTo + 1);
    expectPage(backwards, down.filter(visible), downTo <= (events[0]?.revision ?? 0) ? null : downTo - 1);
  }

  /** The whole stream, page by page as a reader goes through it. */
  #expectPages(store: EventStore, stream: string): void {
    const readable = this.#model.readable(stream);
    if (typeof readable === 'string') return;
    const positions = readable.events.filter(readable.visible).map(({ position }) => position);
    const limit = this.#random(2) === 0 ? { entriesMax: 3, bytesMax: Infinity } : { entriesMax: 100, bytesMax: 500 };
    expect(allPages((from) => store.streamForwards(stream, from, limit), 0)).toEqual(positions);
    expect(allPages((from) => store.streamBackwards(stream, from, limit), Number.MAX_SAFE_INTEGER)).toEqual(positions.reverse());
  }
}

const positionsOf = (entries: readonly { position: number }[]): string => entries.map(({ position }) => position).join();

function expectPage(page: StreamPage, events: readonly ModelEvent[], next: number | null): void {
  if (page.kind !== 'page') throw new Error(`a stream that is there is ${page.kind}`);
  expect([positionsOf(page.entries), page.next]).toEqual([positionsOf(events), next]);
}

function allPages(read: (from: number) => StreamPage, start: number): number[] {
  const positions: number[] = [];
  for (let from: number | null = start; from !== null; ) {
    const page = read(from);
    if (page.kind !== 'page') throw new Error(`a stream that is there is ${page.kind}`);
    positions.push(...page.entries.map(({ position }) => position));
    from = page.next;
  }
  return positions;
}

function isHalfMerged(file: string): boolean {
  const copied = new DatabaseSync(file);
  const row = copied.prepare('SELECT EXISTS (SELECT 1 FROM stream_index, index_progress WHERE stream_index.position > index_progress.position) AS half').get();
  copied.close();
  return row?.['half'] === 1;
}
