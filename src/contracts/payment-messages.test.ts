import { expect, it } from 'vitest';
import { MESSAGE_HEADERS, MESSAGE_TYPES, PAYRESULT_NOTIFY } from './payment-messages.ts';

it('calls a success, and nothing else, by the word that consumers of the original system act on', () => {
  expect(PAYRESULT_NOTIFY).toBe('payresult_notify');
  expect(Object.entries(MESSAGE_TYPES).filter(([, word]) => word === PAYRESULT_NOTIFY).map(([event]) => event)).toEqual(['PaymentSucceeded']);
  expect(new Set(Object.values(MESSAGE_TYPES)).size).toBe(Object.keys(MESSAGE_TYPES).length);
});

it('publishes neither the opening of a payment nor a rejected notification', () => {
  expect(Object.keys(MESSAGE_TYPES)).not.toContain('PaymentRequested');
  expect(Object.keys(MESSAGE_TYPES)).not.toContain('PaymentNotificationRejected');
});

it('has no header that AMQP 1.0 consumers would lose', () => {
  expect(Object.values(MESSAGE_HEADERS).filter((name) => name.startsWith('x-'))).toEqual([]);
});
