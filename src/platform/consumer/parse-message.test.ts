import { describe, expect, it } from 'vitest';
import { MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PublishedEventType } from '../../contracts/payment-messages.ts';
import { parseMessage } from './parse-message.ts';

const EVENT_ID = '6f1c1c3e-8a52-5b7e-9d4f-0c8a3a1f2b77';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the cases break the message in ways its type forbids
type AnyMessage = Record<string, any>;

function body(change: (message: AnyMessage) => void = () => undefined): AnyMessage {
  const message = {
    id: '4711',
    messageType: 'payresult_notify',
    businessKey1: 'selection-1',
    businessKey2: '60201',
    businessKey3: null,
    eventId: EVENT_ID,
    type: 'PaymentSucceeded',
    recordedAt: '2026-01-02T03:04:05.678Z',
    schemaVersion: 3,
    payment: {
      payNo: 'P1',
      orderId: 'O1',
      userId: 'U1',
      amount: '1999',
      currency: 'CNY',
      provider: 'alipay',
      account: 'demo',
      providerTradeNo: 'T1',
      paidAt: '2026-01-02T03:04:00Z',
    },
  };
  change(message);
  return message;
}

/** Facts of each type beside those that every message has. */
const FACTS: Readonly<Record<PublishedEventType, Readonly<Record<string, string | null>>>> = {
  PaymentSucceeded: { paidAt: '2026-01-02T03:04:00Z' },
  PaymentAttemptFailed: { attemptId: 'A1', reason: 'card_declined', failedAt: '2026-01-02T03:04:00Z' },
  PaymentClosed: { closedAt: '2026-01-02T03:04:00Z' },
  PaymentRefunded: { refundId: 'R1', refundAmount: '5', refundedTotal: '7', refundDue: '0', refundedAt: '2026-01-02T03:04:00Z' },
  PaymentRefundFailed: { refundId: 'R1', refundAmount: '5', refundedTotal: '2', refundDue: '5', reason: 'CLOSED', failedAt: '2026-01-02T03:04:00Z' },
  PaymentDisputed: { disputeId: 'D1', disputedAmount: '5', refundedTotal: '7', refundDue: '0', reason: 'fraudulent', dueBy: null, disputedAt: '2026-01-02T03:04:00Z', outcome: null },
  PaymentDisputeClosed: { disputeId: 'D1', disputedAmount: '5', refundedTotal: '7', refundDue: '0', outcome: 'lost', closedAt: '2026-01-02T03:04:00Z' },
};

function bodyOf(type: PublishedEventType, change: Readonly<Record<string, unknown>> = {}): AnyMessage {
  const { paidAt: _, ...shared } = body()['payment'];
  return body((message) => Object.assign(message, { type, messageType: MESSAGE_TYPES[type], payment: { ...shared, ...FACTS[type], ...change } }));
}

const TYPES = Object.keys(FACTS) as PublishedEventType[];

/** Byte for byte what the release before sent. */
const BODY_OF_VERSION_1 =
  '{"id":"4711","messageType":"payresult_notify","businessKey1":"selection-1","businessKey2":"60201","businessKey3":null,' +
  '"eventId":"6f1c1c3e-8a52-5b7e-9d4f-0c8a3a1f2b77","type":"PaymentSucceeded","recordedAt":"2026-01-02T03:04:05.678Z",' +
  '"payment":{"payNo":"P1","orderId":"O1","userId":"U1","amount":"1999","currency":"CNY","provider":"alipay","account":"demo",' +
  '"providerTradeNo":"T1","paidAt":"2026-01-02T03:04:00.000Z"}}';

describe('a message of ours', () => {
  it.each([
    ['as the value the client parsed', body()],
    ['as text', JSON.stringify(body())],
    ['as bytes', Buffer.from(JSON.stringify(body()))],
    ['with a field this version does not know', body((m) => (m['tenant'] = 'x'))],
    ['for study materials', body((m) => (m['businessKey2'] = '60202'))],
    ...TYPES.map((type): [string, unknown] => [`of ${type}`, bodyOf(type)]),
    ['of a refund of which only the sum was told', bodyOf('PaymentRefunded', { refundId: null, refundAmount: null })],
    ['on the last day of a leap February', body((m) => (m['payment'].paidAt = '2028-02-29T23:59:59.123456Z'))],
    ['with the longest text that fits', body((m) => (m['payment'].userId = `${'\u4e2d'.repeat(341)}x`))],
    ['at the largest position', body((m) => (m['id'] = '9223372036854775807'))],
  ])('is understood %s', (_case, value) => {
    expect(parseMessage(value, EVENT_ID)).toMatchObject({ message: { eventId: EVENT_ID, payment: { payNo: 'P1' } } });
  });
});

describe('a message of the release before', () => {
  it('is read in the current shape, byte for byte as it was sent', () => {
    const { payment, ...rest } = JSON.parse(BODY_OF_VERSION_1);
    const message = { ...rest, generation: 1, schemaVersion: MESSAGE_SCHEMA_VERSION, payment };
    expect(parseMessage(Buffer.from(BODY_OF_VERSION_1), EVENT_ID)).toStrictEqual({ message });
  });

  it('keeps what it said as it was: a parked one is stored as it came', () => {
    const sent = JSON.parse(BODY_OF_VERSION_1);
    parseMessage(sent, EVENT_ID);
    expect(JSON.stringify(sent)).toBe(BODY_OF_VERSION_1);
  });

  it.each(Array.from({ length: MESSAGE_SCHEMA_VERSION }, (_, n) => n + 1))('has a way from version %i to the current one', (schemaVersion) => {
    expect(parseMessage(body((m) => (m['schemaVersion'] = schemaVersion)), EVENT_ID)).toMatchObject({ message: { schemaVersion: MESSAGE_SCHEMA_VERSION } });
  });

  it('is checked as strictly as a new one', () => {
    expect(parseMessage(BODY_OF_VERSION_1.replace('"amount":"1999"', '"amount":"19.99"'), EVENT_ID)).toEqual({ unparseable: expect.stringContaining('payment.amount must be') });
  });
});

describe('a message of a later release', () => {
  it('is refused before anything else of it is judged, with the way out', () => {
    const message = { schemaVersion: 4, type: 'PaymentSplit', payment: [] };
    expect(parseMessage(message, EVENT_ID)).toEqual({
      unparseable: 'schemaVersion is 4, and this release reads messages up to version 3: update it, then redrive this message',
    });
  });

  it('is refused also when this release would find nothing wrong with it', () => {
    expect(parseMessage(body((m) => (m['schemaVersion'] = MESSAGE_SCHEMA_VERSION + 1)), EVENT_ID)).toHaveProperty('unparseable');
  });
});

describe('a fact that belongs to a type', () => {
  it.each(TYPES.flatMap((type) => Object.keys(FACTS[type]).map((field): [string, PublishedEventType] => [field, type])))('must be there: %s of %s', (field, type) => {
    expect(parseMessage(bodyOf(type, { [field]: undefined }), EVENT_ID)).toEqual({ unparseable: `payment.${field} must be present on ${type}` });
  });

  it.each(TYPES.flatMap((type) => Object.keys(FACTS[type]).map((field): [string, PublishedEventType] => [field, type])))('must be what it is called, wherever it stands: %s of %s', (field) => {
    expect(parseMessage(body((m) => (m['payment'][field] = 7)), EVENT_ID)).toEqual({ unparseable: expect.stringMatching(`^payment.${field} must be`) });
  });

  it.each(['refundedTotal', 'refundedAt', 'closedAt', 'attemptId'])('may not be null: %s', (field) => {
    expect(parseMessage(bodyOf('PaymentRefunded', { [field]: null }), EVENT_ID)).toEqual({ unparseable: expect.stringMatching(`^payment.${field} must be`) });
  });
});

describe('a message that is not ours', () => {
  it.each<[string, unknown, string]>([
    ['no JSON', 'hello', 'body must be a JSON object'],
    ['broken JSON as bytes', Buffer.from('{"id":'), 'body must be a JSON object'],
    ['an empty body', Buffer.alloc(0), 'body must be a JSON object'],
    ['a list', [body()], 'body must be a JSON object'],
    ['null', null, 'body must be a JSON object'],
    ['a message of the original system', { id: 1, messageType: 'payresult_notify', businessKey1: '1' }, 'type must be'],
    ['an internal event', body((m) => (m['type'] = 'PaymentRequested')), 'type must be'],
    ['a type from the prototype', body((m) => (m['type'] = 'toString')), 'type must be'],
    ['a closing that calls itself a success', body((m) => (m['type'] = 'PaymentClosed')), 'messageType must be payclosed_notify'],
    ['a numeric id', body((m) => (m['id'] = 4711)), 'id must be'],
    ['a negative id', body((m) => (m['id'] = '-1')), 'id must be'],
    ['an id beyond bigint', body((m) => (m['id'] = '9223372036854775808')), 'id must be'],
    ['an event id in upper case', body((m) => (m['eventId'] = EVENT_ID.toUpperCase())), 'eventId must be a UUID'],
    ['another event id than its message id', body((m) => (m['eventId'] = EVENT_ID.replace('6', '7'))), 'eventId must equal'],
    ['an unknown order type', body((m) => (m['businessKey2'] = '60203')), 'businessKey2 must be'],
    ['a currency in small letters', body((m) => (m['payment'].currency = 'cny')), 'payment.currency must be a currency code'],
    ['a third business key', body((m) => (m['businessKey3'] = 'x')), 'businessKey3 must be null'],
    ['an empty business key', body((m) => (m['businessKey1'] = '')), 'businessKey1 must not be empty'],
    ['no payment', body((m) => delete m['payment']), 'payment must be an object'],
    ['a numeric payNo', body((m) => (m['payment'].payNo = 5)), 'payment.payNo must be text'],
    ['an amount with a point', body((m) => (m['payment'].amount = '19.99')), 'payment.amount must be'],
    ['a success without its time', body((m) => delete m['payment'].paidAt), 'payment.paidAt must be present'],
    ['a time without a zone', body((m) => (m['payment'].paidAt = '2026-01-02T03:04:00')), 'payment.paidAt must be a time'],
    ['a time in another zone', body((m) => (m['payment'].paidAt = '2026-01-02T03:04:00+08:00')), 'payment.paidAt must be a time'],
    ['a day that its month does not have', body((m) => (m['payment'].paidAt = '2026-02-29T03:04:00Z')), 'payment.paidAt must be a time'],
    ['an hour that the day does not have', body((m) => (m['recordedAt'] = '2026-01-02T24:00:00Z')), 'recordedAt must be a time'],
    ['a version in words', body((m) => (m['schemaVersion'] = '2')), 'schemaVersion must be a whole number from 1 on'],
    ['version null', body((m) => (m['schemaVersion'] = null)), 'schemaVersion must be a whole number from 1 on'],
    ['version 0', body((m) => (m['schemaVersion'] = 0)), 'schemaVersion must be a whole number from 1 on'],
    ['half a version', body((m) => (m['schemaVersion'] = 1.5)), 'schemaVersion must be a whole number from 1 on'],
    ['a time nobody can read', body((m) => (m['payment'].paidAt = '2026-13-45T99:00:00Z')), 'payment.paidAt must be a time'],
    ['text that cannot be stored', body((m) => (m['payment'].userId = 'a\0b')), 'payment.userId must be well-formed'],
    ['half a surrogate pair', body((m) => (m['payment'].userId = '\ud800')), 'payment.userId must be well-formed'],
    ['endless text', body((m) => (m['payment'].payNo = 'x'.repeat(1025))), 'payment.payNo must be at most'],
    ['text too long for an index in bytes, though not in characters', body((m) => (m['payment'].payNo = '\u4e2d'.repeat(342))), 'payment.payNo must be at most'],
  ])('is refused with its reason: %s', (_case, value, reason) => {
    expect(parseMessage(value, EVENT_ID)).toEqual({ unparseable: expect.stringContaining(reason) });
  });

  it('is refused when the message id is missing', () => {
    expect(parseMessage(body(), undefined)).toEqual({ unparseable: 'eventId must equal the message id' });
  });
});
