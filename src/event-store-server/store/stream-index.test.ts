import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventLog } from './event-log.ts';
import { openDatabase } from './open-database.ts';
import type { OpenedDatabase } from './open-database.ts';
import { StreamIndex, TOMBSTONE_ROW_REVISION } from './stream-index.ts';

/**
 * A log whose index is merged often, against a plain list of what was committed. Certain is the list; not certain is
 * which entries are in memory, which in the table, and which in both, as they are after a process was killed.
 */
const MERGE_AT_ENTRIES = 60;
const SLICE_ENTRIES = 7;
const STREAMS = 25;
const COMMITS = 160;
/** More than a merge takes. */
const COMMITS_OF_A_MERGE = 20;
const ALL = { entriesMax: 10_000, bytesMax: Infinity };
const FILES = ['events.sqlite', 'events.sqlite-wal'];

type Model = Map<number, number[]>;

let directory: string;
let opened: OpenedDatabase;
let index: StreamIndex;
let log: EventLog;
let model: Model;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stream-index-'));
  model = new Map();
  open(directory);
});
afterEach(() => {
  opened.close();
  rmSync(directory, { recursive: true });
});

describe.each([1, 2])('the index (random choices from seed %i)', (seed) => {
  it('finds every event, in both directions and in every range, while it is merged', () => {
    const random = randomFrom(seed);
    for (let commit = 0; commit < COMMITS; commit++) {
      commitSome(random);
      if (commit % 20 === 0) expectEverything();
    }
    expectEverything();
    expect(rowsInTable()).toBeGreaterThan(COMMITS / 2);
  });

  it('forgets what was rolled back, also during a merge', () => {
    const random = randomFrom(seed);
    for (let commit = 0; commit < COMMITS; commit++) {
      if (random(3) === 0) rollBackSome(random);
      else commitSome(random);
      if (commit % 20 === 0) expectEverything();
    }
    reopen();
    expectEverything();
  });

  it('is complete again when the store is opened after a kill at any time', () => {
    const random = randomFrom(seed);
    let halfMerged = 0;
    for (let commit = 0; commit < COMMITS; commit++) {
      commitSome(random);
      // What another process finds is what a killed one would have left.
      if (random(6) === 0) halfMerged += expectAfterKill(random);
    }
    expect(halfMerged).toBeGreaterThan(2);
  });
});

it('keeps a tombstone apart from the revisions before it, in memory and in the table', () => {
  log.begin();
  const id = log.insertStream('buried');
  for (const revision of [0, 1, TOMBSTONE_ROW_REVISION]) insert(id, revision);
  log.commit();
  const expectBuried = (): void => {
    expect(log.findStream('buried')).toMatchObject({ id, lastRevision: 1, tombstoned: true });
    expect(log.at(id, TOMBSTONE_ROW_REVISION)).toMatchObject({ revision: TOMBSTONE_ROW_REVISION });
    expect(log.streamForwards(id, 0, { entriesMax: 5, bytesMax: Infinity })).toHaveLength(2);
  };
  expectBuried();
  const random = randomFrom(1);
  for (let commit = 0; commit < COMMITS; commit++) commitSome(random, id + 1);
  expect(opened.database.prepare('SELECT count(*) AS count FROM stream_index WHERE stream_id = ?').get(id)).toEqual({ count: 3 });
  expectBuried();
});

function open(where: string): void {
  opened = openDatabase(where);
  // What is compared are the contents of the files, not when they reach the disk; thousands of fsyncs would only take time.
  opened.database.exec('PRAGMA synchronous = OFF');
  index = new StreamIndex(opened.database, MERGE_AT_ENTRIES, SLICE_ENTRIES);
  log = new EventLog(opened.database, index);
}

function reopen(): void {
  opened.close();
  open(directory);
}

function insert(streamId: number, revision: number): number {
  const position = log.nextPosition();
  log.insert({ position, streamId, revision, type: 'Tested', createdMs: 0, record: Buffer.from(`${streamId}/${revision}`) });
  return position;
}

/** A few events of a few streams, by the model's next revisions. @returns the model as it is when they are stored. */
function insertSome(random: (below: number) => number, firstStream: number): Model {
  const next: Model = new Map([...model].map(([id, positions]) => [id, [...positions]]));
  for (let count = random(6); count >= 0; count--) {
    const id = firstStream + random(STREAMS);
    const positions = next.get(id) ?? [];
    positions.push(insert(id, positions.length));
    next.set(id, positions);
  }
  return next;
}

function commitSome(random: (below: number) => number, firstStream = 1): void {
  log.begin();
  const next = insertSome(random, firstStream);
  log.commit();
  model = next;
}

function rollBackSome(random: (below: number) => number): void {
  log.begin();
  insertSome(random, 1);
  // As when the COMMIT itself fails.
  index.mergeSlice();
  log.rollback();
}

function expectEverything(): void {
  for (const [id, positions] of model) {
    const last = positions.length - 1;
    expect(log.streamForwards(id, 0, ALL).map(({ position }) => position)).toEqual(positions);
    expect(log.streamBackwards(id, last, 0, ALL).map(({ position }) => position)).toEqual([...positions].reverse());
    const [from, to] = [Math.floor(last / 3), Math.floor((last * 2) / 3)];
    expect(log.streamForwards(id, from, { entriesMax: to - from + 1, bytesMax: Infinity }).map(({ revision }) => revision)).toEqual(upwards(from, to));
    expect(log.streamBackwards(id, to, from, ALL).map(({ revision }) => revision)).toEqual(upwards(from, to).reverse());
    expect(log.at(id, last)?.position).toBe(positions.at(-1));
    expect(log.at(id, last + 1)).toBeNull();
  }
}

/** Opens a copy and goes on with it. @returns 1 when the table had entries that are in memory as well, else 0. */
function expectAfterKill(random: (below: number) => number): number {
  const copy = mkdtempSync(join(tmpdir(), 'stream-index-killed-'));
  for (const file of FILES) copyFileSync(join(directory, file), join(copy, file));
  const running = { opened, log, index, model };
  try {
    open(copy);
    const twice = opened.database.prepare('SELECT count(*) AS count FROM stream_index, index_progress WHERE stream_index.position > index_progress.position');
    const halfMerged = Number(twice.get()?.['count']) > 0;
    expectEverything();
    for (let commit = 0; commit < COMMITS_OF_A_MERGE; commit++) commitSome(random);
    expectEverything();
    opened.close();
    return halfMerged ? 1 : 0;
  } finally {
    ({ opened, log, index, model } = running);
    rmSync(copy, { recursive: true });
  }
}

const upwards = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const rowsInTable = (): number => Number(opened.database.prepare('SELECT count(*) AS count FROM stream_index').get()?.['count']);

/** Small, and the same each time: a failing seed fails again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
