import { expect, it } from 'vitest';
import { createBodyBudget } from './body-budget.ts';

const SHARES = [{ bodyBytesMax: 2, reservedBytesMax: 20 }, { bodyBytesMax: 8, reservedBytesMax: 16 }];

it('what is small finds room when what is large has filled its share', () => {
  const budget = createBodyBudget(SHARES);
  expect([budget.reserve(8), budget.reserve(8), budget.reserve(3)].map((room) => room !== null)).toEqual([true, true, false]);
  expect([budget.reserve(2), budget.reserve(2), budget.reserve(1)].map((room) => room !== null)).toEqual([true, true, false]);
  expect(budget.reservedBytes).toBe(20);
});

it('what is larger than any share is never let in', () => {
  expect(createBodyBudget(SHARES).reserve(9)).toBeNull();
});

it('room is given back once, however often', () => {
  const seen: number[] = [];
  const budget = createBodyBudget(SHARES, (bytes) => seen.push(bytes));
  const [first, second] = [budget.reserve(8), budget.reserve(8)];
  first?.();
  first?.();
  expect(budget.reservedBytes).toBe(8);
  second?.();
  expect(seen).toEqual([8, 16, 8, 0]);
});
