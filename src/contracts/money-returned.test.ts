import { expect, it } from 'vitest';
import { lastInLog, returnedMoney } from './money-returned.ts';
import type { PaymentMessage, PublishedEventType } from './payment-messages.ts';

function message(type: PublishedEventType, generation: number, id: string, payment: Partial<PaymentMessage['payment']>): PaymentMessage {
  return { type, generation, id, payment: { payNo: 'p1', ...payment } } as PaymentMessage;
}

const AT = '2026-11-25T08:00:00.000Z';
const refund = (generation: number, id: string, refundedTotal: string, payNo = 'p1') => message('PaymentRefunded', generation, id, { payNo, refundedTotal, refundDue: '0', refundedAt: AT });

it('takes of each payment what the last in the log says, by generation and then by number, in whatever order they come', () => {
  const [first, tenth, ofNewStore, other] = [refund(1, '9', '300'), refund(1, '10', '100'), refund(2, '2', '200'), refund(1, '5', '50', 'p2')];
  expect(returnedMoney([tenth, first]).map(({ refundedTotal }) => refundedTotal)).toEqual(['100']);
  for (const messages of [[ofNewStore, tenth, other, first], [first, other, tenth, ofNewStore]]) {
    expect(new Map(returnedMoney(messages).map(({ message: { payment }, refundedTotal }) => [payment.payNo, refundedTotal]))).toEqual(new Map([['p1', '200'], ['p2', '50']]));
  }
  expect(lastInLog([first, tenth, other], ({ type }) => type)).toEqual([tenth]);
});

it('takes the time of what the message tells, whatever it tells, and none when nothing is refunded any more', () => {
  const told = { refundedTotal: '1', refundDue: '0' };
  for (const [type, name] of [['PaymentRefunded', 'refundedAt'], ['PaymentRefundFailed', 'failedAt'], ['PaymentDisputed', 'disputedAt'], ['PaymentDisputeClosed', 'closedAt']] as const) {
    expect(returnedMoney([message(type, 1, '1', { ...told, [name]: AT })])).toMatchObject([{ refundedAt: AT }]);
    expect(returnedMoney([message(type, 1, '1', { ...told, refundedTotal: '0', [name]: AT })])).toMatchObject([{ refundedAt: null }]);
  }
});

it('hears nobody else, and refuses for good what does not say how much went back', () => {
  expect(returnedMoney([message('PaymentSucceeded', 1, '1', { paidAt: AT }), message('PaymentClosed', 1, '2', { closedAt: AT })])).toEqual([]);
  for (const missing of ['refundedTotal', 'refundDue', 'refundedAt']) {
    const payment = { refundedTotal: '1', refundDue: '0', refundedAt: AT, [missing]: undefined };
    expect(() => returnedMoney([message('PaymentRefunded', 1, '1', payment)])).toThrow(expect.objectContaining({ code: 'refund-incomplete', retryable: false }));
  }
});
