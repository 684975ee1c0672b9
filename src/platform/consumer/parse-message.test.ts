import { describe, expect, it } from 'vitest';
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

describe('a message of ours', () => {
  it.each([
    ['as the value the client parsed', body()],
    ['as text', JSON.stringify(body())],
    ['as bytes', Buffer.from(JSON.stringify(body()))],
    ['with a field this version does not know', body((m) => (m['tenant'] = 'x'))],
    ['for study materials', body((m) => (m['businessKey2'] = '60202'))],
    ['of a refund', body((m) => Object.assign(m, { type: 'PaymentRefunded', messageType: 'payrefund_notify', payment: { ...m['payment'], refundId: 'R1', refundAmount: '5' } }))],
    ['with the longest text that fits', body((m) => (m['payment'].userId = `${'\u4e2d'.repeat(341)}x`))],
    ['at the largest position', body((m) => (m['id'] = '9223372036854775807'))],
  ])('is understood %s', (_case, value) => {
    expect(parseMessage(value, EVENT_ID)).toMatchObject({ message: { eventId: EVENT_ID, payment: { payNo: 'P1' } } });
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
    ['an empty business key', body((m) => (m['businessKey1'] = '')), 'businessKey1 must not be empty'],
    ['no payment', body((m) => delete m['payment']), 'payment must be an object'],
    ['a numeric payNo', body((m) => (m['payment'].payNo = 5)), 'payment.payNo must be text'],
    ['an amount with a point', body((m) => (m['payment'].amount = '19.99')), 'payment.amount must be'],
    ['a success without its time', body((m) => delete m['payment'].paidAt), 'payment.paidAt must be present'],
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
