import { OrderType } from '../../contracts/codes.ts';
import { MESSAGE_TYPES, type PaymentMessage, type PublishedEventType } from '../../contracts/payment-messages.ts';

/** Either a message the modules can rely on, or why it is none, in words for an operator. */
export type ParsedMessage = { readonly message: PaymentMessage } | { readonly unparseable: string };

/**
 * The longest text any field may hold, in UTF-8: far above what providers send, and below the 2,704 bytes that an entry of
 * a PostgreSQL index can hold. A message whose payNo does not fit there could not even be parked and would stop its module.
 */
const TEXT_BYTES_MAX = 1024;
/** PostgreSQL's bigint: a larger position could not be stored in the ledger. */
const POSITION_MAX = 2n ** 63n - 1n;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ORDER_TYPES: readonly unknown[] = Object.values(OrderType);

type Check = (value: unknown) => string | null;
/** A list, because it is walked for every message. */
type Fields = readonly (readonly [name: string, check: Check])[];

const PAYMENT_FIELDS: Fields = Object.entries({
  payNo: identifier,
  orderId: identifier,
  userId: identifier,
  amount: decimal,
  currency: text,
  provider: text,
  account: text,
  providerTradeNo: text,
  paidAt: optional(time),
  failedAt: optional(time),
  reason: optional(text),
  closedAt: optional(time),
  refundId: optional(text),
  refundAmount: optional(decimal),
  refundedTotal: optional(decimal),
  refundedAt: optional(time),
});

const MESSAGE_FIELDS: Fields = Object.entries({
  id: position,
  businessKey1: identifier,
  businessKey2: (value) => (ORDER_TYPES.includes(value) ? null : 'must be a known order type'),
  eventId: (value) => (typeof value === 'string' && UUID.test(value) ? null : 'must be a UUID in lower case'),
  recordedAt: time,
});

/** Without these the effect of an event of that type cannot be written. */
const REQUIRED_BY_TYPE: Readonly<Record<PublishedEventType, readonly string[]>> = {
  PaymentSucceeded: ['paidAt'],
  PaymentAttemptFailed: [],
  PaymentClosed: [],
  PaymentRefunded: ['refundId', 'refundAmount'],
};

/**
 * Pure. Strict, because what passes here is applied to orders and enrolments: a foreign message is parked where a person
 * sees it, and never half understood. Fields this version does not know are allowed and ignored.
 * @param body what the broker client made of the body: a parsed JSON value, text or bytes.
 * @param messageId AMQP `message_id`; must equal `eventId`, else two different identities would be in play.
 */
export function parseMessage(body: unknown, messageId: string | undefined): ParsedMessage {
  const value = jsonOf(body);
  if (!isObject(value)) return { unparseable: 'body must be a JSON object' };
  const type = value['type'];
  if (!isPublishedType(type)) return { unparseable: 'type must be a published event type' };
  if (value['messageType'] !== MESSAGE_TYPES[type]) return { unparseable: `messageType must be ${MESSAGE_TYPES[type]} for ${type}` };
  const problem = firstProblem(value, MESSAGE_FIELDS, '');
  if (problem !== null) return { unparseable: problem };
  if (value['eventId'] !== messageId) return { unparseable: 'eventId must equal the message id' };
  const payment = value['payment'];
  if (!isObject(payment)) return { unparseable: 'payment must be an object' };
  const paymentProblem = firstProblem(payment, PAYMENT_FIELDS, 'payment.');
  if (paymentProblem !== null) return { unparseable: paymentProblem };
  const missing = REQUIRED_BY_TYPE[type].find((name) => payment[name] === undefined);
  if (missing !== undefined) return { unparseable: `payment.${missing} must be present on ${type}` };
  return { message: value as unknown as PaymentMessage };
}

function jsonOf(body: unknown): unknown {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return body;
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function isPublishedType(value: unknown): value is PublishedEventType {
  return typeof value === 'string' && Object.hasOwn(MESSAGE_TYPES, value);
}

function firstProblem(value: Record<string, unknown>, fields: Fields, prefix: string): string | null {
  for (const [name, check] of fields) {
    const problem = check(value[name]);
    if (problem !== null) return `${prefix}${name} ${problem}`;
  }
  return null;
}

/** NUL and lone surrogates cannot be stored in PostgreSQL: they would make the effect fail for ever. */
function text(value: unknown): string | null {
  if (typeof value !== 'string') return 'must be text';
  // A character is three bytes at most, so that a short text need not be measured.
  if (value.length * 3 > TEXT_BYTES_MAX && Buffer.byteLength(value) > TEXT_BYTES_MAX) return `must be at most ${TEXT_BYTES_MAX} bytes`;
  return value.includes('\0') || !value.isWellFormed() ? 'must be well-formed text' : null;
}

function identifier(value: unknown): string | null {
  return value === '' ? 'must not be empty' : text(value);
}

function decimal(value: unknown): string | null {
  return typeof value === 'string' && /^\d{1,18}$/.test(value) ? null : 'must be a decimal string of minor units';
}

function position(value: unknown): string | null {
  const valid = typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= POSITION_MAX;
  return valid ? null : 'must be a log position as a decimal string';
}

function time(value: unknown): string | null {
  const valid = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(value) && !Number.isNaN(Date.parse(value));
  return valid ? null : 'must be a time in ISO 8601';
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}
