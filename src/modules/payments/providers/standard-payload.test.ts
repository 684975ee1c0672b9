import { describe, expect, it } from 'vitest';
import { standardPayload } from './sign-standard.ts';
import { readStandardPayload } from './standard-payload.ts';

const WEBHOOK = { provider: 'standard', account: 'demo', notificationId: 'msg_1' };
const read = (body: unknown) => readStandardPayload(WEBHOOK, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

const payment = { payNo: 'p1', tradeNo: 't1' };
const TIME = '2026-11-24T15:30:00+08:00';
const UTC = '2026-11-24T07:30:00.000Z';
const about = { ...WEBHOOK, payNo: 'p1', providerTradeNo: 't1', claims: {} };
const paid = { type: 'payment.succeeded', timestamp: UTC, data: { ...payment, amount: '1999', currency: 'CNY', paidAt: TIME } };
const failed = { type: 'payment.failed', data: { ...payment, attemptId: 'a1', reason: 'card_declined', failedAt: TIME } };
const closed = { type: 'payment.closed', data: { ...payment, closedAt: TIME } };
const refunded = { type: 'payment.refunded', data: { ...payment, refundId: 'r1', refundAmount: '100', refundedTotal: '300', currency: 'CNY', paymentAmount: '1999', refundedAt: TIME } };
const refundFailed = { type: 'payment.refund_failed', data: { ...payment, refundId: 'r1', refundAmount: '100', currency: 'CNY', reason: 'account_closed', failedAt: TIME } };
const disputed = { type: 'payment.disputed', data: { ...payment, disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', reason: 'fraudulent', dueBy: '2026-12-01T00:00:00Z', funds: 'withdrawn', disputedAt: TIME } };
const disputeClosed = { type: 'payment.dispute_closed', data: { ...payment, disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', outcome: 'lost', closedAt: TIME } };
const change = <T extends { data: object }>(payload: T, data: object) => ({ ...payload, data: { ...payload.data, ...data } });

describe('the payload of a Standard Webhook', () => {
  it.each([
    [paid, { kind: 'succeeded', amount: '1999', currency: 'CNY', paidAt: UTC }],
    [failed, { kind: 'attempt-failed', attemptId: 'a1', reason: 'card_declined', failedAt: UTC }],
    [closed, { kind: 'closed', closedAt: UTC }],
    [refunded, { kind: 'refunded', refundId: 'r1', refundAmount: '100', refundedTotal: '300', currency: 'CNY', paymentAmount: '1999', refundedAt: UTC }],
    [refundFailed, { kind: 'refund-failed', refundId: 'r1', refundAmount: '100', currency: 'CNY', reason: 'account_closed', failedAt: UTC }],
    [change(refundFailed, { initiatedAt: TIME }), { kind: 'refund-failed', refundId: 'r1', refundAmount: '100', currency: 'CNY', reason: 'account_closed', failedAt: UTC, initiatedAt: UTC }],
    [disputed, { kind: 'disputed', disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', reason: 'fraudulent', dueBy: '2026-12-01T00:00:00.000Z', funds: 'withdrawn', disputedAt: UTC }],
    [disputeClosed, { kind: 'dispute-closed', disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', outcome: 'lost', closedAt: UTC }],
  ])('$type becomes $kind in our words, with the time in UTC', (payload, notification) => {
    expect(read(payload)).toEqual({ outcome: 'read', notifications: [{ ...about, providerType: payload.type, ...notification }] });
    // Members that we do not know are ignored.
    expect(read(change(payload, { buyer: 'someone', note: 1 }))).toEqual(read(payload));
  });

  it('of a failed attempt without an id takes that of the webhook, which a repetition keeps', () => {
    expect(read(change(failed, { attemptId: undefined }))).toMatchObject({ notifications: [{ attemptId: 'msg_1' }] });
  });

  it('of a refund may tell this refund, or all so far, and needs no more', () => {
    const rest = { refundId: undefined, paymentAmount: undefined };
    const shown = { refundId: null, paymentAmount: null };
    expect(read(change(refunded, { ...rest, refundedTotal: undefined }))).toMatchObject({ notifications: [{ ...shown, refundAmount: '100', refundedTotal: null }] });
    expect(read(change(refunded, { ...rest, refundAmount: undefined }))).toMatchObject({ notifications: [{ ...shown, refundAmount: null, refundedTotal: '300' }] });
  });

  it('of a dispute needs neither a due date nor a word about the money', () => {
    const shown = { dueBy: null, funds: 'unchanged' };
    expect(read(change(disputed, { dueBy: undefined, funds: undefined }))).toMatchObject({ notifications: [shown] });
    expect(read(change(disputed, { dueBy: null }))).toMatchObject({ notifications: [{ ...shown, funds: 'withdrawn' }] });
  });

  it('ignores what is another type’s member', () => {
    const others = { dueBy: 'soon', initiatedAt: 1, disputedAmount: null, refundedAt: '?', refundAmount: {} };
    expect(read(change(paid, others))).toEqual(read(paid));
  });

  it('is what our signer writes', () => {
    const told = { payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', notificationId: 'msg_1' };
    const at = new Date(TIME);
    const dispute = { disputeId: 'd1', disputedAmount: '1999', disputedAt: at };
    expect(read(standardPayload({ kind: 'disputed', ...told, ...dispute, reason: 'fraudulent', dueBy: new Date('2026-12-01T00:00:00Z'), funds: 'withdrawn' }))).toEqual(read(disputed));
    expect(read(standardPayload({ kind: 'disputed', ...told, ...dispute, reason: 'fraudulent', dueBy: null, funds: 'withdrawn' }))).toEqual(read(change(disputed, { dueBy: null })));
    expect(read(standardPayload({ kind: 'dispute-closed', ...told, disputeId: 'd1', disputedAmount: '1999', outcome: 'lost', closedAt: at }))).toEqual(read(disputeClosed));
  });

  it.each(['payment.created', 'customer.created', 'constructor', '__proto__', 'toString'])('is not handled when its type is %s', (type) => {
    const unhandled = { kind: 'not-handled', ...WEBHOOK, providerType: type };
    expect(read({ type, data: { payNo: 'p1' } })).toEqual({ outcome: 'read', notifications: [{ ...unhandled, payNo: 'p1' }] });
    expect(read({ type, data: { payNo: 'no number' } })).toEqual({ outcome: 'read', notifications: [{ ...unhandled, payNo: null }] });
  });

  it.each([
    ['no JSON', '{', ''],
    ['an empty body', '', ''],
    ['a list', [paid], ''],
    ['no type', { data: {} }, ''],
    ['a type that is no word', { type: 'a b', data: {} }, '/type'],
    ['no data', { type: 'payment.succeeded' }, ''],
    ['a payNo that is no name', change(paid, { payNo: '../x' }), '/data/payNo'],
    ['a payNo that is a number', change(paid, { payNo: 1 }), '/data/payNo'],
    ['an empty trade number', change(paid, { tradeNo: '' }), '/data/tradeNo'],
    ['an amount as a number', change(paid, { amount: 1999 }), '/data/amount'],
    ['an amount in yuan', change(paid, { amount: '19.99' }), '/data/amount'],
    ['a negative amount', change(paid, { amount: '-1' }), '/data/amount'],
    ['an amount with a leading zero', change(paid, { amount: '01' }), '/data/amount'],
    ['a currency in lower case', change(paid, { currency: 'cny' }), '/data/currency'],
    ['a time without zone', change(paid, { paidAt: '2026-11-24T07:30:00' }), '/data/paidAt'],
    ['a time that does not exist', change(paid, { paidAt: '2026-13-24T07:30:00Z' }), '/data/paidAt'],
    ['a time of the year 10000 in UTC', change(paid, { paidAt: '9999-12-31T23:59:59-01:00' }), '/data/paidAt'],
    ['a reason in free text', change(failed, { reason: 'the card of Mr. Wang' }), '/data/reason'],
    ['a failed attempt without a trade', change(failed, { tradeNo: undefined }), '/data'],
    ['a closing at no time', change(closed, { closedAt: 'now' }), '/data/closedAt'],
    ['a refund without an amount', change(refunded, { refundAmount: undefined, refundedTotal: undefined }), '/data/refundAmount'],
    ['a refund of nothing', change(refunded, { refundAmount: '0', refundedTotal: undefined }), '/data/refundAmount'],
    ['a refund in yuan', change(refunded, { refundAmount: '1.00' }), '/data/refundAmount'],
    ['a sum of refunds below zero', change(refunded, { refundedTotal: '-1' }), '/data/refundedTotal'],
    ['a paid amount that is none', change(refunded, { paymentAmount: '' }), '/data/paymentAmount'],
    ['a refund id with spaces', change(refunded, { refundId: 'r 1' }), '/data/refundId'],
    ['a failed refund without its id', change(refundFailed, { refundId: undefined }), '/data'],
    ['a failed refund asked for at no time', change(refundFailed, { initiatedAt: 'now' }), '/data/initiatedAt'],
    ['a dispute without its id', change(disputed, { disputeId: undefined }), '/data'],
    ['a disputed amount in yuan', change(disputed, { disputedAmount: '19.99' }), '/data/disputedAmount'],
    ['a dispute that is due at no time', change(disputed, { dueBy: '2026-13-01T00:00:00Z' }), '/data/dueBy'],
    ['a dispute of no time', change(disputed, { disputedAt: '2026-11-24' }), '/data/disputedAt'],
    ['money that is nowhere', change(disputed, { funds: 'gone' }), '/data/funds'],
    ['an outcome in free text', change(disputeClosed, { outcome: 'Mr. Wang has won' }), '/data/outcome'],
    ['an end of a dispute at no time', change(disputeClosed, { closedAt: 'now' }), '/data/closedAt'],
    ['a key that reaches the prototype', '{"type":"payment.succeeded","__proto__":{"x":1},"data":{}}', ''],
  ])('is malformed with %s', (_what, body, field) => {
    expect(read(body)).toEqual({ outcome: 'malformed', field });
  });

  it('is malformed when it is not UTF-8', () => {
    expect(readStandardPayload(WEBHOOK, Buffer.from([0x22, 0xff, 0x22]))).toEqual({ outcome: 'malformed', field: '' });
  });
});
