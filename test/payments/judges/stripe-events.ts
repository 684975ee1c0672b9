import type { Random } from '../../harness/random.ts';

/*
 * Events as Stripe sends them, from its documentation (docs.stripe.com/api/events/types and the API's change log) and not
 * from what is read here: of many types and API versions, about payments of ours and of other programs.
 */

export interface StripeEvent {
  readonly event: Readonly<Record<string, unknown>>;
  /** What it tells of, in our words. */
  readonly tells: Readonly<Record<string, unknown>>;
}

const API_VERSIONS = ['2014-12-08', '2018-11-08', '2020-08-27', '2022-08-01', '2022-11-15', '2023-10-16', '2024-06-20', '2024-10-28.acacia', '2025-03-31.basil', '2025-09-30.clover', '2026-10-28.endive'];
/** From here on a charge holds no list of its refunds, and an intent no list of its charges. */
const LISTS_UNTIL = '2022-11-15';
const CREATED = 1_795_500_000;
const CREATED_AT = '2026-11-24T06:00:00.000Z';
const EARLIER = CREATED - 86_400;
const EARLIER_AT = '2026-11-23T06:00:00.000Z';

interface Money {
  readonly amount: number;
  readonly currency: string;
  /** The same in ours. */
  readonly ours: string;
}
const NAMES = ['Tom & Jerry', '学习', 'Ærø "quoted" \\ back', '👩‍🎓 line\u2028break', 'tab\tand\u0000null', 'Ünïcödé</script>', '{"amount_received":1}', ',v1=00'];

interface Writer {
  readonly random: Random;
  readonly version: string;
  readonly livemode: boolean;
  readonly payNo: string;
  readonly money: Money;
  readonly part: Money;
}
type Made = readonly [type: string, object: Record<string, unknown>, tells: Record<string, unknown>];
type Make = (writer: Writer) => Made;

/** @param account the connected account that events name; null for the endpoint's own. */
export function stripeEvent(random: Random, { livemode, account }: { readonly livemode: boolean; readonly account: string | null }): StripeEvent {
  const unit = random.pick<readonly [string, number, number]>([['cny', 1, 1], ['usd', 1, 1], ['eur', 1, 1], ['jpy', 1, 1], ['isk', 100, 1], ['kwd', 10, 10]]);
  const whole = 2 + random.below(90_000);
  const version = random.pick(API_VERSIONS);
  const writer: Writer = { random, version, livemode, payNo: `p${random.below(10 ** 9)}`, money: inUnit(whole, unit), part: inUnit(1 + random.below(whole - 1), unit) };
  const [type, object, tells] = random.pick(MAKERS)(writer);
  const id = `evt_${random.bytes(12).toString('hex')}`;
  const event = {
    id, object: 'event', ...(account === null ? {} : { account }), api_version: version, created: CREATED, data: withChanges(random, object), livemode, pending_webhooks: random.below(3),
    request: random.pick<unknown>([null, `req_${random.below(99)}`, { id: null, idempotency_key: NAMES[1] }]), type,
  };
  return { event, tells: { provider: 'stripe', notificationId: id, providerType: type, ...tells } };
}

function inUnit(whole: number, [currency, theirs, ours]: readonly [string, number, number]): Money {
  return { amount: whole * theirs, currency, ours: String(whole * ours) };
}

function withChanges(random: Random, object: Record<string, unknown>): Record<string, unknown> {
  return random.chance(0.3) ? { object, previous_attributes: { status: null, amount: 1, metadata: { payNo: 'earlier' } } } : { object };
}

const tradeNo = ({ random }: Writer): string => `pi_${random.bytes(9).toString('hex')}`;
const buyer = ({ random }: Writer): object => ({ description: random.pick(NAMES), billing_details: { name: random.pick(NAMES), address: { line1: random.pick(NAMES) } }, receipt_email: 'b@example.com' });
const marks = ({ random, payNo }: Writer): Record<string, string> => ({ ...(random.chance(0.5) ? { note: random.pick(NAMES) } : {}), payNo });
const elsewhere = ({ random }: Writer): object => (random.chance(0.3) ? { presentment_details: { presentment_amount: 77, presentment_currency: 'chf' } } : {});
const list = (version: string, data: readonly object[]): object | undefined => (version < LISTS_UNTIL ? { object: 'list', data, has_more: false, total_count: data.length, url: '/v1/x' } : undefined);
const notOurs = { kind: 'not-handled', payNo: null };

function intent(writer: Writer, status: string, more: object): Record<string, unknown> {
  const { version, livemode, money } = writer;
  return {
    id: tradeNo(writer), object: 'payment_intent', amount: money.amount, amount_received: 0, currency: money.currency, charges: list(version, [{ id: 'ch_0', object: 'charge' }]), livemode,
    metadata: marks(writer), status, ...elsewhere(writer), ...buyer(writer), ...more,
  };
}

const paidIntent: Make = (writer) => {
  const { money, payNo } = writer;
  const object = intent(writer, 'succeeded', { amount_received: money.amount });
  return ['payment_intent.succeeded', object, { kind: 'succeeded', payNo, providerTradeNo: object.id, amount: money.ours, currency: money.currency.toUpperCase(), paidAt: CREATED_AT }];
};

const failedIntent: Make = (writer) => {
  const status = writer.version < '2019-02-11' ? 'requires_source' : 'requires_payment_method';
  const object = intent(writer, status, { last_payment_error: { type: 'card_error', charge: 'ch_7', code: 'card_declined', decline_code: 'lost_card', message: writer.random.pick(NAMES) } });
  return ['payment_intent.payment_failed', object, { kind: 'attempt-failed', payNo: writer.payNo, providerTradeNo: object.id, attemptId: 'ch_7', reason: 'card_declined', failedAt: CREATED_AT }];
};

const canceledIntent: Make = (writer) => {
  const object = intent(writer, 'canceled', { canceled_at: EARLIER, cancellation_reason: 'abandoned' });
  return ['payment_intent.canceled', object, { kind: 'closed', payNo: writer.payNo, providerTradeNo: object.id, closedAt: EARLIER_AT }];
};

function session(writer: Writer, more: object): Record<string, unknown> {
  const { livemode, money, payNo, version } = writer;
  return {
    id: `cs_test_${writer.random.bytes(20).toString('hex')}`, object: 'checkout.session', amount_subtotal: money.amount, amount_total: money.amount, client_reference_id: payNo, currency: money.currency, livemode,
    metadata: {}, mode: 'payment', payment_intent: tradeNo(writer), payment_status: 'paid', total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ...(version < '2021-10-01' ? {} : { status: 'complete' }), customer_details: buyer(writer), ...more,
  };
}

const paidSession: Make = (writer) => {
  const { money, payNo, part, random } = writer;
  const type = random.pick(['checkout.session.completed', 'checkout.session.async_payment_succeeded']);
  const about = { kind: 'succeeded', payNo, currency: money.currency.toUpperCase(), paidAt: CREATED_AT };
  const makes: readonly (() => readonly [Record<string, unknown>, object])[] = [
    () => [session(writer, elsewhere(writer)), { amount: money.ours }],
    () => [session(writer, { amount_total: part.amount, total_details: { amount_discount: money.amount - part.amount } }), { amount: part.ours, discount: String(BigInt(money.ours) - BigInt(part.ours)) }],
    () => [session(writer, { amount_total: 515, currency: 'chf', currency_conversion: { amount_subtotal: money.amount, amount_total: money.amount, fx_rate: '1.3', source_currency: money.currency } }), { amount: money.ours }],
  ];
  const [object, tells] = random.pick(makes)();
  return [type, object, { ...about, providerTradeNo: object.payment_intent, ...tells }];
};

const freeSession: Make = (writer) => {
  const object = session(writer, { amount_total: 0, payment_intent: null, payment_status: 'no_payment_required', total_details: { amount_discount: writer.money.amount } });
  return ['checkout.session.completed', object, { kind: 'succeeded', payNo: writer.payNo, providerTradeNo: object.id, amount: '0', discount: writer.money.ours }];
};

const otherSession: Make = (writer) => {
  const { payNo, random } = writer;
  const [type, change, kind] = random.pick<readonly [string, object, string]>([
    ['completed', { payment_status: 'unpaid' }, 'not-handled'],
    ['completed', { mode: 'subscription', payment_intent: null }, 'not-handled'],
    ['completed', { mode: 'setup', payment_intent: null, payment_status: 'no_payment_required', amount_total: null, currency: null }, 'not-handled'],
    ['async_payment_failed', { payment_status: 'unpaid' }, 'attempt-failed'],
    ['expired', { payment_status: 'unpaid', payment_intent: null, ...(writer.version < '2021-10-01' ? {} : { status: 'expired' }) }, 'closed'],
  ]);
  return [`checkout.session.${type}`, session(writer, change), { kind, payNo }];
};

function refund(writer: Writer, status: string): Record<string, unknown> {
  const { part } = writer;
  return {
    id: `re_${writer.random.bytes(9).toString('hex')}`, object: 'refund', amount: part.amount, charge: 'ch_1', created: EARLIER, currency: part.currency, metadata: {}, payment_intent: tradeNo(writer), reason: null, status,
    ...elsewhere(writer), ...(status === 'failed' ? { failure_reason: 'lost_or_stolen_card' } : {}),
  };
}

const oneRefund: Make = (writer) => {
  const { part, random } = writer;
  const status = random.pick(['succeeded', 'succeeded', 'failed', 'canceled', 'pending']);
  const type = status === 'failed' ? random.pick(['refund.failed', 'refund.updated', 'charge.refund.updated']) : random.pick(['refund.created', 'refund.updated', 'charge.refund.updated']);
  const object = refund(writer, status);
  if (status === 'pending') return [type, object, notOurs];
  const about = { payNo: null, providerTradeNo: object.payment_intent, refundId: object.id, refundAmount: part.ours, currency: part.currency.toUpperCase() };
  return [type, object, status === 'succeeded' ? { kind: 'refunded', ...about, refundedTotal: null, refundedAt: EARLIER_AT } : { kind: 'refund-failed', ...about, failedAt: CREATED_AT, initiatedAt: EARLIER_AT }];
};

const refundedCharge: Make = (writer) => {
  const { livemode, money, part, random, version } = writer;
  const object = {
    id: 'ch_1', object: 'charge', amount: money.amount, ...(version < '2020-08-27' ? {} : { amount_captured: money.amount }), amount_refunded: part.amount, currency: money.currency, livemode,
    metadata: random.chance(0.5) ? marks(writer) : {}, paid: true, payment_intent: tradeNo(writer), refunded: false, refunds: list(version, [refund(writer, 'failed'), refund(writer, 'succeeded')]), ...buyer(writer),
  };
  const payNo = 'payNo' in object.metadata ? writer.payNo : null;
  return ['charge.refunded', object, { kind: 'refunded', payNo, providerTradeNo: object.payment_intent, refundId: null, refundAmount: null, refundedTotal: part.ours, paymentAmount: money.ours, refundedAt: CREATED_AT }];
};

const dispute: Make = (writer) => {
  const { livemode, part, random } = writer;
  const [type, status, tells] = random.pick<readonly [string, string, object]>([
    ['created', 'needs_response', { kind: 'disputed', funds: 'unchanged' }],
    ['created', 'warning_needs_response', { kind: 'disputed', funds: 'unchanged' }],
    ['updated', 'under_review', { kind: 'disputed', funds: 'unchanged' }],
    ['funds_withdrawn', 'needs_response', { kind: 'disputed', funds: 'withdrawn' }],
    ['funds_reinstated', 'won', { kind: 'disputed', funds: 'reinstated' }],
    ...['won', 'lost', 'warning_closed', 'prevented'].map((outcome): readonly [string, string, object] => ['closed', outcome, { kind: 'dispute-closed', outcome }]),
  ]);
  const object = {
    id: `du_${random.bytes(9).toString('hex')}`, object: 'dispute', amount: part.amount, balance_transactions: [], charge: 'ch_1', currency: part.currency, livemode, metadata: {}, payment_intent: tradeNo(writer),
    evidence: { customer_name: random.pick(NAMES) }, evidence_details: { due_by: random.pick([null, 0, CREATED + 9]), has_evidence: false }, reason: 'product_not_received', status,
  };
  return [`charge.dispute.${type}`, object, { payNo: null, providerTradeNo: object.payment_intent, disputeId: object.id, disputedAmount: part.ours, ...tells }];
};

const ofAnotherProgram: Make = (writer) => {
  const [type, object] = writer.random.pick<readonly [string, Record<string, unknown>]>([
    ['payment_intent.succeeded', intent(writer, 'succeeded', { metadata: { order: '7' } })],
    ['refund.created', { ...refund(writer, 'succeeded'), payment_intent: null }],
    ['charge.refunded', { id: 'ch_2', object: 'charge', amount: 5, amount_refunded: 5, currency: 'usd', payment_intent: null, metadata: {} }],
    ['charge.dispute.created', { id: 'dp_2', object: 'dispute', amount: 5, currency: 'usd', payment_intent: null }],
    ['customer.updated', { id: 'cus_1', object: 'customer', ...buyer(writer), metadata: {} }],
    ['invoice.payment_succeeded', { id: 'in_1', object: 'invoice', lines: { object: 'list', data: [] } }],
    ['account.application.deauthorized', { id: 'ca_1', object: 'application', name: writer.random.pick(NAMES) }],
  ]);
  return [type, object, notOurs];
};

const MAKERS: readonly Make[] = [paidIntent, failedIntent, canceledIntent, paidSession, paidSession, freeSession, otherSession, oneRefund, oneRefund, refundedCharge, dispute, dispute, ofAnotherProgram];
