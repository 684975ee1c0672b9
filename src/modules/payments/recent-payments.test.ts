import { expect, it } from 'vitest';
import type { PaymentEvent } from '../../contracts/payment-events.ts';
import { createRecentPayments } from './recent-payments.ts';

const history = { events: [{ type: 'PaymentRequested' } as PaymentEvent], revision: 0n };

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
  recent.keep('a', { events: [], revision: 'no-stream' });
  expect(recent.get('a')).toBeNull();
});
