import { expect, it } from 'vitest';
import { createUnacknowledged } from './unacknowledged.ts';

function withTags(...tags: number[]) {
  const unacknowledged = createUnacknowledged();
  for (const tag of tags) unacknowledged.add(tag);
  return unacknowledged;
}

it('acknowledges a contiguous prefix with one multiple', () => {
  expect(withTags(1, 2, 3, 4).settle([1, 2, 3])).toEqual([{ deliveryTag: 3, multiple: true }]);
});

it('never covers a message that is not done: what is behind the hole goes one by one', () => {
  expect(withTags(1, 2, 3, 4, 5).settle([1, 2, 4, 5])).toEqual([
    { deliveryTag: 2, multiple: true },
    { deliveryTag: 4, multiple: false },
    { deliveryTag: 5, multiple: false },
  ]);
});

it('uses a multiple again once the hole is filled', () => {
  const unacknowledged = withTags(1, 2, 3, 4);
  unacknowledged.settle([2]);
  expect(unacknowledged.settle([1, 3])).toEqual([{ deliveryTag: 3, multiple: true }]);
  expect(unacknowledged.size).toBe(1);
});

it('does not depend on the order in which tags are settled', () => {
  expect(withTags(1, 2, 3).settle([3, 1, 2])).toEqual([{ deliveryTag: 3, multiple: true }]);
});

it('sends nothing for tags it does not know or has settled, which the broker would punish by closing the channel', () => {
  const unacknowledged = withTags(1, 2);
  unacknowledged.settle([1, 2]);
  expect(unacknowledged.settle([1, 2, 9])).toEqual([]);
});

it('sends a plain acknowledgement for a single message', () => {
  expect(withTags(7).settle([7])).toEqual([{ deliveryTag: 7, multiple: false }]);
});
