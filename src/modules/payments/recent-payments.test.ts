import { expect, it } from 'vitest';
import { NOTHING_YET } from './payment-state.ts';
import { createRecentPayments } from './recent-payments.ts';

const history = { state: NOTHING_YET, revision: 0n, length: 1 };

it('forgets the payment that was used longest ago when it is full', () => {
  const recent = createRecentPayments(2);
  recent.keep('a', history);
  recent.keep('b', history);
  recent.keep('a', history);
  recent.keep('c', history);
  expect(['a', 'b', 'c'].map((payNo) => recent.get(payNo) !== null)).toEqual([true, false, true]);
});

it('never keeps an empty stream: the payment may be requested at any moment', () => {
  const recent = createRecentPayments();
  recent.keep('a', { state: NOTHING_YET, revision: 'no-stream', length: 0 });
  expect(recent.get('a')).toBeNull();
});

it('never keeps a payment of many events, of which a few would take the memory of all others', () => {
  const recent = createRecentPayments();
  recent.keep('a', { ...history, length: 20 });
  expect(recent.get('a')).not.toBeNull();
  recent.keep('a', { ...history, length: 21 });
  expect(recent.get('a')).toBeNull();
});
