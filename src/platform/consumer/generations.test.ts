import { describe, expect, it } from 'vitest';
import type { Database } from '../database/database.ts';
import { readGenerationAt } from './generations.ts';

/** Adopted three times: the second and third share something with what was before, the fifth (one was lost to a crash) nothing. */
const ROWS = [
  { generation: 2n, follows: 1n, sharedTo: 100n },
  { generation: 3n, follows: 2n, sharedTo: 200n },
  { generation: 5n, follows: 3n, sharedTo: -1n },
];

const at = (current: bigint) => readGenerationAt({ eventStoreGeneration: { findMany: async () => ROWS } } as unknown as Database, current);

describe('the generation of a place', () => {
  it.each([
    [1n, 50n, 1n],
    [2n, 0n, 1n],
    [2n, 100n, 1n],
    [2n, 101n, 2n],
    [3n, 100n, 1n],
    [3n, 200n, 2n],
    [3n, 201n, 3n],
    [5n, 0n, 5n],
    [4n, 50n, 4n],
  ])('in generation %s, at %s, is %s', async (current, position, expected) => {
    expect((await at(current))(position)).toBe(expected);
  });

  it('never falls along a log', async () => {
    const generationAt = await at(3n);
    const generations = Array.from({ length: 30 }, (_, n) => generationAt(BigInt(n * 10)));
    expect(generations).toEqual([...generations].sort((a, b) => Number(a - b)));
  });
});
