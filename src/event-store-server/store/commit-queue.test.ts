import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProposedEvent } from '../wire/proposed-event.ts';
import { CommitQueue } from './commit-queue.ts';
import { EventLog } from './event-log.ts';
import { LiveFeed } from './live-feed.ts';
import { openDatabase } from './open-database.ts';
import { StoreError } from './store-error.ts';
import { StreamDirectory } from './stream-directory.ts';
import { StreamWriter } from './stream-writer.ts';
import type { WriteOutcome } from './stream-writer.ts';

const ALL = { entriesMax: 1_000, bytesMax: Number.MAX_SAFE_INTEGER };

const event = (bytes = 2): ProposedEvent => ({ id: randomUUID(), type: 'Tested', isJson: true, data: Buffer.alloc(bytes, 32), metadata: Buffer.alloc(0) });

let setPagesMax: (pages: number) => void;
let log: EventLog;
let queue: CommitQueue;
let outcomes: (WriteOutcome | StoreError)[];
let broken: StoreError[];
let wakes: number;

beforeEach(() => {
  const { database } = openDatabase(null);
  setPagesMax = (pages) => database.exec(`PRAGMA max_page_count = ${pages}`);
  log = new EventLog(database);
  const feed = new LiveFeed();
  wakes = 0;
  feed.watchAll(() => (wakes += 1));
  outcomes = [];
  broken = [];
  const writer = new StreamWriter(log, new StreamDirectory(log), () => 1_700_000_000_000);
  queue = new CommitQueue(log, writer, feed, (error) => broken.push(error));
});

function push(stream: string, ...events: ProposedEvent[]): void {
  queue.push({ caller: { open: true }, apply: (writer) => writer.append(stream, 'any', events), done: (outcome) => outcomes.push(outcome) });
}

function pushFailing(error: Error): void {
  const apply = (writer: StreamWriter): WriteOutcome => {
    writer.append('half-done', 'any', [event()]);
    throw error;
  };
  queue.push({ caller: { open: true }, apply, done: (outcome) => outcomes.push(outcome) });
}

const stored = (): number => log.allForwards(0, ALL).length;
const kinds = (): string[] => outcomes.map((outcome) => (outcome instanceof StoreError ? outcome.code : outcome.kind));

describe('a group of writes', () => {
  it('is answered in the order it came, and wakes the subscribers once', () => {
    for (let index = 0; index < 3; index++) push('one', event());
    expect(outcomes).toEqual([]);
    queue.flush();
    expect(outcomes).toMatchObject([{ revision: 0 }, { revision: 1 }, { revision: 2 }]);
    expect(wakes).toBe(1);
  });

  it('loses only the write that cannot be stored, with nothing left of it', () => {
    push('one', event());
    pushFailing(new RangeError('cannot be encoded'));
    push('one', event());
    queue.flush();
    expect(kinds()).toEqual(['stored', 'rejected', 'stored']);
    expect(outcomes[2]).toMatchObject({ revision: 1 });
    expect(stored()).toBe(2);
    expect(broken).toEqual([]);
  });

  it('forgets no ids of earlier writes with one that cannot be stored', () => {
    const earlier = event();
    push('one', earlier);
    queue.flush();
    pushFailing(new RangeError('cannot be encoded'));
    queue.flush();
    push('one', earlier);
    queue.flush();
    expect(kinds()).toEqual(['stored', 'rejected', 'stored']);
    expect(outcomes[2]).toEqual(outcomes[0]);
    expect(stored()).toBe(1);
  });

  it('leaves out a write whose caller has gone', () => {
    const caller = { open: true };
    queue.push({ caller, apply: (writer) => writer.append('gone', 'any', [event()]), done: (outcome) => outcomes.push(outcome) });
    caller.open = false;
    queue.flush();
    expect([stored(), outcomes.length, wakes]).toEqual([0, 0, 0]);
  });
});

describe('a full disk', () => {
  it('stores nothing of the write that does not fit, and works again when there is room', () => {
    push('one', event());
    queue.flush();
    setPagesMax(20);
    push('one', event(500_000));
    push('one', event());
    queue.flush();
    expect(kinds()).toEqual(['stored', 'full', 'stored']);
    setPagesMax(10_000);
    push('one', event(500_000));
    queue.flush();
    expect(outcomes[3]).toMatchObject({ kind: 'stored', revision: 2 });
    expect(log.allForwards(0, ALL).map((entry) => entry.revision)).toEqual([0, 1, 2]);
    expect(broken).toEqual([]);
  });
});

describe('a disk that fails', () => {
  const ioError = Object.assign(new Error('disk I/O error'), { errcode: 10 });

  it('stops every later write, once and for all, and is reported once', () => {
    push('one', event());
    queue.flush();
    pushFailing(ioError);
    push('one', event());
    queue.flush();
    push('one', event());
    queue.flush();
    expect(kinds()).toEqual(['stored', 'failed', 'failed', 'failed']);
    expect(stored()).toBe(1);
    expect(broken).toHaveLength(1);
  });
});
