import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FencedError } from '../../contracts/errors.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { acquireLease, type Lease } from './lease.ts';

const TTL_MS = 10_000;
const clock = { monotonic: 0, wall: 0, monotonicMs: () => clock.monotonic, wallMs: () => clock.wall };
const renew = vi.fn<CheckpointStore['renew']>();
const store = {
  leaseTtlMs: TTL_MS,
  acquire: async () => ({ outcome: 'acquired', grant: { epoch: 3n, position: 5n } }),
  renew,
} as unknown as CheckpointStore;

let lease: Lease;
beforeEach(async () => {
  [clock.monotonic, clock.wall] = [1000, 1_700_000_000_000];
  renew.mockReset().mockResolvedValue('renewed');
  const answer = await acquireLease(store, 'me', clock);
  if ('heldBy' in answer) throw new Error('the lease was free');
  lease = answer;
});

const pass = (ms: number): void => void ([clock.monotonic, clock.wall] = [clock.monotonic + ms, clock.wall + ms]);

describe('lease', () => {
  it('is overdue when its term is over, and not before', () => {
    pass(TTL_MS);
    expect(lease.isOverdue()).toBe(false);
    pass(1);
    expect(lease.isOverdue()).toBe(true);
  });

  it.each(['monotonic', 'wall'] as const)('is overdue when only the %s clock went on, as the other may stand still in a pause', (name) => {
    clock[name] += TTL_MS + 1;
    expect(lease.isOverdue()).toBe(true);
  });

  it('is certain again from the time of the question, not of the answer', async () => {
    pass(TTL_MS + 1);
    renew.mockImplementation(async () => {
      pass(4000);
      return 'renewed';
    });
    await lease.verify();
    pass(TTL_MS - 4000);
    expect(lease.isOverdue()).toBe(false);
    pass(1);
    expect(lease.isOverdue()).toBe(true);
  });

  it('is given up when another owner has it', async () => {
    renew.mockResolvedValue('fenced');
    await expect(lease.verify()).rejects.toBeInstanceOf(FencedError);
  });

  it('asks three times within its term, and ends when another owner has it', async () => {
    const hurried = await acquireLease({ ...store, leaseTtlMs: 60 }, 'me', clock);
    if ('heldBy' in hurried) throw new Error('the lease was free');
    renew.mockResolvedValueOnce('renewed').mockResolvedValueOnce('renewed').mockResolvedValue('fenced');
    const startedAtMs = performance.now();
    await expect(hurried.keep(new AbortController().signal)).rejects.toBeInstanceOf(FencedError);
    expect(performance.now() - startedAtMs).toBeGreaterThan(55);
    expect(renew.mock.calls).toEqual([[3n], [3n], [3n]]);
  });

  it('goes on while the database is away, and says so', async () => {
    renew.mockRejectedValue(new Error('connection refused'));
    pass(TTL_MS + 1);
    await lease.verify();
    expect([lease.isOverdue(), lease.unavailable]).toEqual([false, 'connection refused']);
    renew.mockResolvedValue('renewed');
    await lease.verify();
    expect(lease.unavailable).toBeNull();
  });

  it('stays overdue when the process was paused while it asked, because the failure may come from the pause', async () => {
    renew.mockImplementation(async () => {
      pass(TTL_MS + 1);
      throw new Error('no answer within 5000 ms');
    });
    await lease.verify();
    expect(lease.isOverdue()).toBe(true);
  });

  it('tells who holds it when it is not free', async () => {
    const held = { ...store, acquire: async () => ({ outcome: 'held', owner: 'other' }) } as unknown as CheckpointStore;
    expect(await acquireLease(held, 'me', clock)).toEqual({ heldBy: 'other' });
  });
});
