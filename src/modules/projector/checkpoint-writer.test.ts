import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FencedError } from '../../contracts/errors.ts';
import { silentLogger } from '../../platform/observe/logger.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { behindEvent } from '../../platform/event-store/position.ts';
import type { Place } from './confirmed-prefix.ts';
import { createCheckpointWriter, type CheckpointWriter } from './checkpoint-writer.ts';

const place = (position: bigint): Place => ({ position: behindEvent(position), landmark: { position, eventId: `event-${position}`, recordedAt: null } });
const NOTHING = place(-1n);

const move = vi.fn<CheckpointStore['move']>();
const onFenced = vi.fn<(error: FencedError) => void>();
let writer: CheckpointWriter;

beforeEach(() => {
  vi.useFakeTimers();
  move.mockReset().mockResolvedValue('moved');
  onFenced.mockReset();
  writer = createCheckpointWriter({ move } as unknown as CheckpointStore, 7n, NOTHING, silentLogger, onFenced);
});
afterEach(() => {
  writer.stop();
  vi.useRealTimers();
});

const moves = (): bigint[] => move.mock.calls.map(([, { position }]) => position.commit);

describe('checkpoint writer', () => {
  it('stores the newest position once within 100 ms, under the epoch of the lease', async () => {
    for (let position = 1n; position <= 50n; position++) writer.prove(place(position));
    expect(move).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(100);
    expect(move.mock.calls).toEqual([[7n, place(50n)]]);
    expect(writer.stored.position.commit).toBe(50n);
  });

  it('stores after 500 events without waiting', async () => {
    for (let position = 1n; position <= 500n; position++) writer.prove(place(position));
    await vi.advanceTimersByTimeAsync(0);
    expect(moves()).toEqual([500n]);
  });

  it('writes nothing while nothing new is proven', async () => {
    writer.prove(place(1n));
    await vi.advanceTimersByTimeAsync(5000);
    expect(moves()).toEqual([1n]);
    expect(await writer.flush()).toBe(true);
    expect(moves()).toEqual([1n]);
  });

  it('claims as stored only what the write carried, not what was proven during it', async () => {
    const answer = Promise.withResolvers<'moved'>();
    move.mockReturnValueOnce(answer.promise);
    writer.prove(place(1n));
    await vi.advanceTimersByTimeAsync(100);
    writer.prove(place(2n));
    answer.resolve('moved');
    await vi.advanceTimersByTimeAsync(0);
    expect(writer.stored.position.commit).toBe(1n);
    await vi.advanceTimersByTimeAsync(100);
    expect(moves()).toEqual([1n, 2n]);
  });

  it('keeps the position in memory while the database is away, and stores it when it is back', async () => {
    move.mockRejectedValue(new Error('connection refused'));
    writer.prove(place(9n));
    await vi.advanceTimersByTimeAsync(60_000);
    expect([writer.stored.position.commit, writer.unavailable]).toEqual([-1n, 'connection refused']);
    expect(move.mock.calls.length).toBeGreaterThan(15);
    expect(move.mock.calls.length).toBeLessThan(40);
    move.mockResolvedValue('moved');
    await vi.advanceTimersByTimeAsync(3000);
    expect([writer.stored.position.commit, writer.unavailable]).toEqual([9n, null]);
  });

  it('says that it is fenced, claims nothing and writes nothing more', async () => {
    move.mockResolvedValue('fenced');
    writer.prove(place(9n));
    await vi.advanceTimersByTimeAsync(100);
    expect(onFenced).toHaveBeenCalledExactlyOnceWith(expect.any(FencedError));
    writer.prove(place(10n));
    expect(await writer.flush()).toBe(false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writer.stored.position.commit).toBe(-1n);
    expect(move).toHaveBeenCalledOnce();
  });

  it('stores what is proven at once when flushed, after the write that is under way', async () => {
    const answer = Promise.withResolvers<'moved'>();
    move.mockReturnValueOnce(answer.promise);
    writer.prove(place(1n));
    await vi.advanceTimersByTimeAsync(100);
    writer.prove(place(2n));
    const flushed = writer.flush();
    answer.resolve('moved');
    expect(await flushed).toBe(true);
    expect([moves(), writer.stored.position.commit]).toEqual([[1n, 2n], 2n]);
  });
});
