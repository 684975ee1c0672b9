import { isNewerThanKnown, upcastEvent } from '../../contracts/event-versions.ts';
import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import { MESSAGE_BYTES_MAX, MESSAGE_HEADERS, MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PaymentMessage, type PublishedEventType } from '../../contracts/payment-messages.ts';
import { PAYNOTIFY_EXCHANGE } from '../../contracts/topology.ts';
import type { OutgoingMessage } from '../../platform/broker/publisher.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';

const CLOUD_EVENTS_VERSION = '1.0';
const CLOUD_EVENTS_SOURCE = '/paynotify/payments';
/** W3C trace context, version 00. Anything else in the metadata is not passed on. */
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** A short string of the protocol; a longer correlation id would be cut and then name something else. */
const CORRELATION_ID_BYTES_MAX = 255;

/** Facts of an event that travel in `payment`; the first eight are on every event, the others on the type they belong to. */
const PAYMENT_FIELDS = [
  'payNo',
  'orderId',
  'userId',
  'amount',
  'currency',
  'provider',
  'account',
  'providerTradeNo',
  'paidAt',
  'attemptId',
  'reason',
  'failedAt',
  'closedAt',
  'refundId',
  'refundAmount',
  'refundedTotal',
  'refundedAt',
  'paidAmount',
  'refundDue',
  'disputeId',
  'disputedAmount',
  'dueBy',
  'disputedAt',
  'outcome',
] as const satisfies readonly (keyof PaymentMessage['payment'])[];

type Fields = Readonly<Record<string, unknown>>;

const NO_FACTS: Fields = {};

/**
 * Pure. @returns a stored event as it goes to the fanout exchange, or null when the event is internal or not ours.
 * Never throws, and what it returns can always be encoded: an event with missing fields is published with what it has,
 * so that the modules park it where an operator sees it, instead of it blocking every later event here. An event that a
 * later release wrote goes the same way: its facts may mean something else, so none are sent. Once this instance is up to
 * date, a replay in mode `reapply` sends them. Likewise one whose message would be larger than a broker takes.
 * @param generation which adoption of the event store the event's position belongs to.
 */
export function toMessage(event: StoredEvent, generation: bigint): OutgoingMessage | null {
  const { id, type } = event;
  if (!isPublished(type)) return null;
  const data = isNewerThanKnown(event) ? NO_FACTS : fieldsOf(upcastEvent(event));
  const metadata = fieldsOf(event.metadata);
  const recordedAt = event.recordedAt.toISOString();
  const encode = (facts: Fields): Buffer => Buffer.from(JSON.stringify(bodyOf(event, type, facts, recordedAt, generation)));
  const body = encode(data);
  return {
    exchange: PAYNOTIFY_EXCHANGE,
    routingKey: '',
    body: body.length <= MESSAGE_BYTES_MAX ? body : encode(NO_FACTS),
    messageId: id,
    type,
    timestampSeconds: Math.floor(event.recordedAt.getTime() / 1000),
    headers: headersOf(event, recordedAt, metadata.traceparent),
    ...correlationOf(metadata.$correlationId),
  };
}

function bodyOf({ id, position }: StoredEvent, type: PublishedEventType, data: Fields, recordedAt: string, generation: bigint): Fields {
  return {
    id: position.toString(),
    messageType: MESSAGE_TYPES[type],
    businessKey1: data.outBusinessId,
    businessKey2: data.orderType,
    businessKey3: null,
    eventId: id,
    type,
    recordedAt,
    schemaVersion: MESSAGE_SCHEMA_VERSION,
    generation: Number(generation),
    payment: paymentOf(data),
  };
}

/** Undefined fields are left out by JSON. A loop, because it runs for every event and allocates nothing else. */
function paymentOf(data: Fields): Fields {
  const payment: Record<string, unknown> = {};
  for (const field of PAYMENT_FIELDS) payment[field] = data[field];
  return payment;
}

function isPublished(type: string): type is PublishedEventType {
  return Object.hasOwn(MESSAGE_TYPES, type);
}

function headersOf(event: StoredEvent, recordedAt: string, traceparent: unknown): Record<string, string> {
  const headers: Record<string, string> = {
    [MESSAGE_HEADERS.cloudEventsSpecVersion]: CLOUD_EVENTS_VERSION,
    [MESSAGE_HEADERS.cloudEventsId]: event.id,
    [MESSAGE_HEADERS.cloudEventsType]: event.type,
    [MESSAGE_HEADERS.cloudEventsSource]: CLOUD_EVENTS_SOURCE,
    [MESSAGE_HEADERS.cloudEventsSubject]: payNoOf(event),
    [MESSAGE_HEADERS.cloudEventsTime]: recordedAt,
  };
  if (typeof traceparent === 'string' && TRACEPARENT.test(traceparent)) headers[MESSAGE_HEADERS.traceparent] = traceparent;
  return headers;
}

function correlationOf(correlationId: unknown): { correlationId?: string } {
  const fits = typeof correlationId === 'string' && correlationId !== '' && Buffer.byteLength(correlationId) <= CORRELATION_ID_BYTES_MAX;
  return fits ? { correlationId } : {};
}

/** The stream's name, not the event's data, says which payment it is. */
export function payNoOf(event: StoredEvent): string {
  return event.stream.startsWith(PAYMENT_STREAM_PREFIX) ? event.stream.slice(PAYMENT_STREAM_PREFIX.length) : event.stream;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : NO_FACTS;
}
