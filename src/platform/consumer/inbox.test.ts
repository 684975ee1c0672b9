import { expect, it } from 'vitest';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { Delivery, ReadableDelivery } from './delivery.ts';
import { createInbox, type Inbox, type Work } from './inbox.ts';

function delivery(tag: number, payNo: string, deliveryCount = 0): ReadableDelivery {
  const message = { eventId: String(tag), payment: { payNo } } as unknown as PaymentMessage;
  return { tag, deliveryCount, parsed: { message }, replay: null, headers: {}, bytes: () => Buffer.alloc(0) };
}

function unreadable(tag: number): Delivery {
  return { tag, deliveryCount: 0, parsed: { unparseable: 'foreign' }, replay: null, headers: {}, bytes: () => Buffer.alloc(0) };
}

function inboxWith(...deliveries: Delivery[]): Inbox {
  const inbox = createInbox();
  for (const one of deliveries) inbox.arrive(one);
  return inbox;
}

const tags = (work: Work) => ('deliveries' in work ? [work.kind, ...work.deliveries.map((it) => it.tag)] : [work.kind]);

it('gives what has arrived as one batch, up to the limit, in the order of arrival', () => {
  const inbox = inboxWith(delivery(1, 'A'), unreadable(2), delivery(3, 'A'));
  expect(tags(inbox.next(0, 2))).toEqual(['batch', 1, 2]);
  expect(tags(inbox.next(0, 2))).toEqual(['batch', 3]);
  expect(inbox.next(0, 2)).toEqual({ kind: 'wait', ms: null });
});

it('keeps redelivered messages apart from first deliveries without changing the order', () => {
  const inbox = inboxWith(delivery(1, 'A', 1), delivery(2, 'B', 3), delivery(3, 'A'), delivery(4, 'A', 1));
  expect(tags(inbox.next(0, 9))).toEqual(['redelivered', 1, 2]);
  expect(tags(inbox.next(0, 9))).toEqual(['batch', 3]);
  expect(tags(inbox.next(0, 9))).toEqual(['redelivered', 4]);
});

it('lets other payments go on while a failed message holds its own', () => {
  const failed = delivery(1, 'A');
  const inbox = inboxWith(delivery(2, 'A'), delivery(3, 'B'), delivery(4, 'A'));
  inbox.hold(failed, 2, 1000);
  expect(tags(inbox.next(500, 9))).toEqual(['batch', 3]);
  expect(inbox.next(500, 9)).toEqual({ kind: 'wait', ms: 500 });
  expect(inbox.next(1000, 9)).toEqual({ kind: 'retry', delivery: failed, attempt: 2 });
});

it('gives those that waited behind a message before everything that arrived later', () => {
  const failed = delivery(1, 'A');
  const inbox = inboxWith(delivery(2, 'A'), delivery(3, 'A'));
  inbox.hold(failed, 2, 1000);
  expect(inbox.next(0, 9).kind).toBe('wait');
  inbox.arrive(delivery(4, 'B'));
  inbox.arrive(delivery(5, 'A'));
  inbox.release(failed);
  expect(tags(inbox.next(0, 9))).toEqual(['batch', 2, 3, 4, 5]);
});

it('is not released by the outcome of another message of the same payment', () => {
  const failed = delivery(2, 'A');
  const inbox = inboxWith(delivery(3, 'A'));
  inbox.hold(failed, 2, 1000);
  inbox.release(delivery(1, 'A'));
  expect(inbox.next(0, 9)).toEqual({ kind: 'wait', ms: 1000 });
});

it('keeps those behind it when a message fails again', () => {
  const failed = delivery(1, 'A');
  const inbox = inboxWith(delivery(2, 'A'));
  inbox.hold(failed, 2, 1000);
  inbox.next(0, 9);
  inbox.hold(failed, 3, 2000);
  inbox.release(failed);
  expect(tags(inbox.next(0, 9))).toEqual(['batch', 2]);
});

it('wakes for the earliest of several failed messages', () => {
  const inbox = createInbox();
  inbox.hold(delivery(1, 'A'), 2, 3000);
  inbox.hold(delivery(2, 'B'), 2, 1000);
  expect(inbox.next(400, 9)).toEqual({ kind: 'wait', ms: 600 });
});
