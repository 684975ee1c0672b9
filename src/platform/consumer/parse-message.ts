import { OrderType } from '../../contracts/codes.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PaymentMessage, type PublishedEventType } from '../../contracts/payment-messages.ts';

/** Either a message the modules can rely on, or why it is none, in words for an operator. */
export type ParsedMessage = { readonly message: PaymentMessage } | { readonly unparseable: string };

/**
 * The longest text any field may hold, in UTF-8: far above what providers send, and below the 2,704 bytes that an entry of
 * a PostgreSQL index can hold. A message whose payNo does not fit there could not even be parked and would stop its module.
 */
const TEXT_BYTES_MAX = 1024;
/** PostgreSQL's bigint: a larger position could not be stored in the ledger. */
const POSITION_MAX = 2n ** 63n - 1n;
const CURRENCY = /^[A-Z]{3}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** UTC, as everything that is sent writes it: without a zone a time would be read in that of this machine. */
const TIME = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;
const ORDER_TYPES: readonly unknown[] = Object.values(OrderType);

type Body = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => string | null;
/** A list, because it is walked for every message. */
type Fields = readonly (readonly [name: string, check: Check])[];

const PAYMENT_FIELDS: Fields = Object.entries({
  payNo: identifier,
  orderId: identifier,
  userId: identifier,
  amount: decimal,
  currency: (value) => (typeof value === 'string' && CURRENCY.test(value) ? null : 'must be a currency code'),
  provider: text,
  account: text,
  providerTradeNo: text,
  paidAt: optional(time),
  attemptId: optional(text),
  reason: optional(text),
  failedAt: optional(time),
  closedAt: optional(time),
  refundId: optional(nullable(text)),
  refundAmount: optional(nullable(decimal)),
  refundedTotal: optional(decimal),
  refundedAt: optional(time),
  paidAmount: optional(decimal),
  refundDue: optional(decimal),
  disputeId: optional(text),
  disputedAmount: optional(decimal),
  dueBy: optional(nullable(time)),
  disputedAt: optional(time),
  outcome: optional(nullable(text)),
});

const MESSAGE_FIELDS: Fields = Object.entries({
  id: position,
  businessKey1: identifier,
  businessKey2: (value) => (ORDER_TYPES.includes(value) ? null : 'must be a known order type'),
  businessKey3: (value) => (value === null ? null : 'must be null'),
  eventId: (value) => (typeof value === 'string' && UUID.test(value) ? null : 'must be a UUID in lower case'),
  recordedAt: time,
  generation: (value) => (value === undefined || isVersion(value) ? null : 'must be a whole number from 1 on'),
});

/** Without these the effect of an event of that type cannot be written. */
const REQUIRED_BY_TYPE: Readonly<Record<PublishedEventType, readonly string[]>> = {
  PaymentSucceeded: ['paidAt'],
  PaymentAttemptFailed: ['attemptId', 'reason', 'failedAt'],
  PaymentClosed: ['closedAt'],
  PaymentRefunded: ['refundId', 'refundAmount', 'refundedTotal', 'refundDue', 'refundedAt'],
  PaymentRefundFailed: ['refundId', 'refundAmount', 'refundedTotal', 'refundDue', 'reason', 'failedAt'],
  PaymentDisputed: ['disputeId', 'disputedAmount', 'refundedTotal', 'refundDue', 'reason', 'dueBy', 'disputedAt', 'outcome'],
  PaymentDisputeClosed: ['disputeId', 'disputedAmount', 'refundedTotal', 'refundDue', 'outcome', 'closedAt'],
};

/**
 * From each version to the next, oldest first. Pure, and total: an older body is checked only when it is in the current
 * shape. Bodies of a release before may still lie in a queue or among the parked messages.
 */
const STEPS: readonly ((older: Body) => Body)[] = [
  // Version 1 had no version, no attemptId, and no refund without an id. Only successes were ever sent in it.
  (older) => ({ ...older, schemaVersion: 2 }),
  // Version 2 knew no refund that fails: its totals never fell, so the last in the log is the largest, and nothing was due again.
  (older) => ({ ...older, schemaVersion: 3, ...(older['type'] === 'PaymentRefunded' && isObject(older['payment']) ? { payment: { ...older['payment'], refundDue: '0' } } : {}) }),
];

/**
 * The same as docs/asyncapi.yaml says (test/contracts proves it both ways), by hand: a compiled schema takes longer, and
 * has neither the limit in bytes nor words for an operator.
 *
 * Pure. Strict, because what passes here is applied to orders and enrolments: a foreign message is parked where a person
 * sees it, and never half understood. Fields this version does not know are allowed and ignored.
 * @param body what the broker client made of the body: a parsed JSON value, text or bytes.
 * @param messageId AMQP `message_id`; must equal `eventId`, else two different identities would be in play.
 */
export function parseMessage(body: unknown, messageId: string | undefined): ParsedMessage {
  const sent = jsonOf(body);
  if (!isObject(sent)) return { unparseable: 'body must be a JSON object' };
  // First of all: in a newer version every other field may mean something else.
  const { schemaVersion: version = 1 } = sent;
  if (!isVersion(version)) return { unparseable: 'schemaVersion must be a whole number from 1 on' };
  if (version > MESSAGE_SCHEMA_VERSION) return { unparseable: newerThanKnown(version) };
  const value = version === MESSAGE_SCHEMA_VERSION ? sent : upcast(version, sent);
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
  return { message: (value['generation'] === undefined ? { ...value, generation: Number(FIRST_GENERATION) } : value) as unknown as PaymentMessage };
}

function jsonOf(body: unknown): unknown {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return body;
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function upcast(version: number, body: Body): Body {
  return STEPS.slice(version - 1).reduce((older, step) => step(older), body);
}

/** Parked, it waits for the instance that can read it. */
function newerThanKnown(version: number): string {
  return `schemaVersion is ${version}, and this release reads messages up to version ${MESSAGE_SCHEMA_VERSION}: update it, then redrive this message`;
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function isPublishedType(value: unknown): value is PublishedEventType {
  return typeof value === 'string' && Object.hasOwn(MESSAGE_TYPES, value);
}

function firstProblem(value: Body, fields: Fields, prefix: string): string | null {
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
  return typeof value === 'string' && TIME.test(value) && isInMonth(value) ? null : 'must be a time in ISO 8601, in UTC';
}

/** The 30th of February would be read as a day of March. Up to the 28th there is nothing to find out. */
function isInMonth(time: string): boolean {
  const day = time.slice(8, 10);
  return day <= '28' || new Date(time).getUTCDate() === Number(day);
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}

function nullable(check: Check): Check {
  return (value) => (value === null ? null : check(value));
}
