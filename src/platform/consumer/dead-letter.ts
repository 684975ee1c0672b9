import type { AsyncMessage } from 'rabbitmq-client';
import type { OutgoingMessage } from '../broker/publisher.ts';
import { isReadable, MESSAGE_ID_HEADER, toDelivery, type Delivery, type ReadableDelivery } from './delivery.ts';
import { ParkReason, type Parking } from './outcome.ts';

/**
 * Why the broker gave a message up, by its own word, and what that means here:
 *
 * | reason                     | what it says of the message                            | what becomes of it |
 * | -------------------------- | ------------------------------------------------------ | ------------------ |
 * | `expired`                  | nothing: a time limit (a policy's, the sender's) was over | handed back      |
 * | `maxlen`                   | nothing: the queue was full (a policy's limit)         | handed back        |
 * | `delivery_limit`           | it came back too often: it may be what kills           | parked             |
 * | `rejected`, any other, none | somebody refused it                                   | parked             |
 */
const SAYS_NOTHING_OF_THE_MESSAGE: ReadonlySet<string> = new Set(['expired', 'maxlen']);
const UNKNOWN_REASON = 'unknown reason';

/** A message that was taken from a dead queue. */
export interface DeadLetter {
  readonly delivery: Delivery;
  /** Of its last death in the module's own queue. */
  readonly reason: string;
  /** Set when it is to go to the module's queue again, where it takes its own way; null when it is to be parked. */
  readonly back: OutgoingMessage | null;
}

/** Pure. @param queue the module's own queue, to which it goes back. */
export function toDeadLetter(message: AsyncMessage, queue: string): DeadLetter {
  const delivery = toDelivery(message);
  const reason = deathReason(delivery.headers, queue);
  const goesBack = SAYS_NOTHING_OF_THE_MESSAGE.has(reason) && isReadable(delivery);
  return { delivery, reason, back: goesBack ? backTo(queue, message, delivery) : null };
}

/**
 * The broker adds each death in front of `x-death`, so the first of this queue is the last that happened; what other
 * queues gave up on before says nothing here.
 */
function deathReason(headers: Delivery['headers'], queue: string): string {
  const deaths: unknown = headers['x-death'];
  const own = Array.isArray(deaths) ? (deaths as Record<string, unknown>[]).find((death) => death['queue'] === queue) : undefined;
  const word = own?.['reason'] ?? headers['x-first-death-reason'];
  return typeof word === 'string' ? word : UNKNOWN_REASON;
}

/** Without what the broker wrote upon it, and without the time limit that was over. */
function backTo(queue: string, { type, timestamp, correlationId }: AsyncMessage, delivery: ReadableDelivery): OutgoingMessage {
  const { eventId, type: eventType, recordedAt } = delivery.parsed.message;
  return {
    exchange: '',
    routingKey: queue,
    body: delivery.bytes(),
    messageId: eventId,
    type: type ?? eventType,
    timestampSeconds: timestamp ?? Math.floor(Date.parse(recordedAt) / 1000),
    headers: Object.fromEntries(Object.entries(delivery.headers).filter(isSenders)),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}

/** Ours are all text; the broker's are not, or begin like these. */
const BROKERS_HEADER = /^x-(?:death$|first-death-|last-death-|delivery-count$|acquired-count$)/;

function isSenders(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string' && !BROKERS_HEADER.test(entry[0]) && entry[0] !== MESSAGE_ID_HEADER;
}

/** It came back at least once, whatever the header of this queue says: its recorded starts are to be removed. */
export function toParking({ delivery: dead, reason }: DeadLetter): Parking {
  const delivery = { ...dead, deliveryCount: Math.max(1, dead.deliveryCount) };
  // Nothing was held against it but its age, and yet no module could ever be asked about it.
  if ('unparseable' in dead.parsed && SAYS_NOTHING_OF_THE_MESSAGE.has(reason)) return { delivery, reason: ParkReason.unparseable, cause: `${dead.parsed.unparseable} (the broker gave up on it: ${reason})`, attempts: 0 };
  return { delivery, reason: ParkReason.deliveryLimit, cause: `the broker gave up on it (${reason})`, attempts: 0 };
}
