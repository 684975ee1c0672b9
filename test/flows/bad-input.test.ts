import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../harness/until.ts';
import { openSite, type Site } from '../harness/site.ts';

/** Every route of the running application, asked wrongly. `{names}` in paths and bodies stand for what is there. */

let site: Site;
let names: Readonly<Record<string, string>>;

beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
  const [paid, open] = await site.shop.openPayments(2);
  if (paid === undefined || open === undefined) throw new Error('two payments were asked for');
  await site.shop.payUntilAcknowledged(paid);
  const free = `free-${process.pid}`;
  await site.shop.call('PUT', `/learning/courses/${free}`, { name: 'Free', companyId: 'c', charge: '201000', price: '0', validDays: 1 });
  const { selectionId } = await site.shop.call<{ selectionId: string }>('POST', '/learning/selections', { userId: 'free-user', courseId: free });
  await site.assertWhole([paid]);
  const replay = await site.shop.call<{ id: string }>('POST', '/admin/replays', { module: 'orders', mode: 'missing', from: { start: true } }, 'admin');
  await until('the end of the replay', 30_000, async () =>
    (await site.shop.call<{ state: string }>('GET', `/admin/replays/${replay.id}`, undefined, 'admin')).state === 'completed' ? true : null,
  );
  names = {
    course: paid.courseId, paidOrder: paid.orderId, paidSelection: paid.outBusinessId, paidUser: paid.userId, paidPayNo: paid.payNo,
    order: open.orderId, selection: open.outBusinessId, user: open.userId, payNo: open.payNo, freeSelection: selectionId, replay: replay.id, long: 'x'.repeat(65),
  };
});

afterAll(() => site?.close());

type Caller = 'shop' | 'operator' | 'nobody' | 'stranger';
type Row = readonly [what: string, caller: Caller, request: string, body: unknown, status: number, code: string];

const COURSE = { name: 'Course', companyId: 'c', charge: '201001', price: '100', validDays: 30 };
const ITEM = { goodsId: 'g', goodsType: 't', goodsName: 'Goods', price: '100' };
const MATERIALS = { outBusinessId: 'new-materials', orderType: '60202', userId: 'u', items: [ITEM] };
const DEMO = { provider: 'standard', account: 'demo' };
const REPLAY = { module: 'learning', mode: 'missing', from: { start: true } };

const SHOP: readonly Row[] = [
  ['no token', 'nobody', 'GET /orders/{order}', null, 401, 'token-invalid'],
  ['an unknown token', 'stranger', 'GET /orders/{order}', null, 401, 'token-invalid'],
  ["an operator's token at the shop's routes", 'operator', 'GET /orders/{order}', null, 403, 'token-kind-wrong'],
  ['an unknown path', 'shop', 'GET /order/{order}', null, 404, 'route-unknown'],
  ['a method that is not there', 'shop', 'DELETE /orders/{order}', null, 405, 'method-not-allowed'],
  ['a broken escape', 'shop', 'GET /orders/%E0%A4', null, 400, 'url-invalid'],
  ['a course without name', 'shop', 'PUT /learning/courses/c1', { ...COURSE, name: undefined }, 400, 'validation-failed'],
  ['a course with an empty name', 'shop', 'PUT /learning/courses/c1', { ...COURSE, name: '' }, 400, 'validation-failed'],
  ['a course with an id that climbs', 'shop', 'PUT /learning/courses/..%2Fc1', COURSE, 400, 'validation-failed'],
  ['a course with an over-long id', 'shop', 'PUT /learning/courses/{long}', COURSE, 400, 'validation-failed'],
  ['a price as a number', 'shop', 'PUT /learning/courses/c1', { ...COURSE, price: 100 }, 400, 'validation-failed'],
  ['a price in yuan', 'shop', 'PUT /learning/courses/c1', { ...COURSE, price: '1.00' }, 400, 'validation-failed'],
  ['a negative price', 'shop', 'PUT /learning/courses/c1', { ...COURSE, price: '-1' }, 400, 'validation-failed'],
  ['a price beyond all money', 'shop', 'PUT /learning/courses/c1', { ...COURSE, price: '9999999999999999999' }, 422, 'price-invalid'],
  ['a charge that is none', 'shop', 'PUT /learning/courses/c1', { ...COURSE, charge: '201009' }, 400, 'validation-failed'],
  ['a free course with a price', 'shop', 'PUT /learning/courses/c1', { ...COURSE, charge: '201000' }, 422, 'price-contradicts-charge'],
  ['a charged course for nothing', 'shop', 'PUT /learning/courses/c1', { ...COURSE, price: '0' }, 422, 'price-contradicts-charge'],
  ['a course valid for no day', 'shop', 'PUT /learning/courses/c1', { ...COURSE, validDays: 0 }, 400, 'validation-failed'],
  ['a course valid for half a day', 'shop', 'PUT /learning/courses/c1', { ...COURSE, validDays: 0.5 }, 400, 'validation-failed'],
  ['a selection of no course', 'shop', 'POST /learning/selections', { userId: 'u', courseId: 'none' }, 404, 'course-unknown'],
  ['a selection without user', 'shop', 'POST /learning/selections', { courseId: '{course}' }, 400, 'validation-failed'],
  ['a selection for a user with a blank', 'shop', 'POST /learning/selections', { userId: 'a b', courseId: '{course}' }, 400, 'validation-failed'],
  ['an unknown selection', 'shop', 'GET /learning/selections/none', null, 404, 'selection-unknown'],
  ['page zero of the courses', 'shop', 'GET /learning/users/{user}/courses?page=0', null, 400, 'validation-failed'],
  ['a thousand courses a page', 'shop', 'GET /learning/users/{user}/courses?pageSize=1000', null, 400, 'validation-failed'],
  ['a right of a user that cannot be', 'shop', 'GET /learning/users/a%20b/courses/{course}/right', null, 400, 'validation-failed'],
  ['half a JSON document', 'shop', 'POST /orders', '{"orderType":', 400, 'json-invalid'],
  ['a key that reaches the prototype', 'shop', 'POST /orders', '{"__proto__":{"orderType":"60202"}}', 400, 'json-invalid'],
  ['no JSON at all', 'shop', 'POST /orders', '', 400, 'body-missing'],
  ['a list instead of an order', 'shop', 'POST /orders', [], 400, 'validation-failed'],
  ['an order larger than any', 'shop', 'POST /orders', { ...MATERIALS, description: 'x'.repeat(70_000) }, 413, 'body-too-large'],
  ['an order type that is none', 'shop', 'POST /orders', { ...MATERIALS, orderType: '60203' }, 400, 'validation-failed'],
  ['an order of an unknown selection', 'shop', 'POST /orders', { outBusinessId: 'none', orderType: '60201', userId: 'u' }, 422, 'selection-unknown'],
  ["an order of another user's selection", 'shop', 'POST /orders', { outBusinessId: '{freeSelection}', orderType: '60201', userId: '{user}' }, 422, 'selection-of-another-user'],
  ['an order of a free selection', 'shop', 'POST /orders', { outBusinessId: '{freeSelection}', orderType: '60201', userId: 'free-user' }, 409, 'selection-not-awaiting-payment'],
  ['the same order for another user', 'shop', 'POST /orders', { outBusinessId: '{selection}', orderType: '60201', userId: 'u' }, 409, 'order-contradicts'],
  ['materials without items', 'shop', 'POST /orders', { ...MATERIALS, items: [] }, 422, 'items-missing'],
  ['materials for nothing', 'shop', 'POST /orders', { ...MATERIALS, items: [{ ...ITEM, price: '0' }] }, 422, 'amount-invalid'],
  ['materials for more than any money', 'shop', 'POST /orders', { ...MATERIALS, items: [{ ...ITEM, price: '9999999999999999999' }] }, 422, 'amount-invalid'],
  ['more items than a basket holds', 'shop', 'POST /orders', { ...MATERIALS, items: Array<typeof ITEM>(101).fill(ITEM) }, 400, 'validation-failed'],
  ['an unknown order', 'shop', 'GET /orders/none', null, 404, 'order-unknown'],
  ['orders of nobody', 'shop', 'GET /orders', null, 400, 'validation-failed'],
  ['a page of orders that is no number', 'shop', 'GET /orders?userId={user}&page=two', null, 400, 'validation-failed'],
  ['a payment of an unknown order', 'shop', 'POST /orders/none/payments', DEMO, 404, 'order-unknown'],
  ['a payment of a paid order', 'shop', 'POST /orders/{paidOrder}/payments', DEMO, 409, 'order-already-paid'],
  ['a payment through an unknown provider', 'shop', 'POST /orders/{order}/payments', { provider: 'paypal', account: 'demo' }, 422, 'account-unknown'],
  ['a payment through an unknown account', 'shop', 'POST /orders/{order}/payments', { provider: 'standard', account: 'other' }, 422, 'account-unknown'],
  ['a payment through nothing', 'shop', 'POST /orders/{order}/payments', {}, 400, 'validation-failed'],
  ['an unknown payment', 'shop', 'GET /payments/none', null, 404, 'payment-unknown'],
  ['a payment number that cannot be', 'shop', 'GET /payments/a%20b', null, 400, 'validation-failed'],
];

const OPERATORS: readonly Row[] = [
  ['metrics for nobody', 'nobody', 'GET /metrics', null, 401, 'token-invalid'],
  ["the shop's token at the operators' routes", 'shop', 'GET /admin/lag', null, 403, 'token-kind-wrong'],
  ['no token at all', 'nobody', 'POST /admin/replays', REPLAY, 401, 'token-invalid'],
  ['a replay to an unknown module', 'operator', 'POST /admin/replays', { ...REPLAY, module: 'billing' }, 400, 'validation-failed'],
  ['a replay without mode', 'operator', 'POST /admin/replays', { ...REPLAY, mode: undefined }, 400, 'validation-failed'],
  ['a replay from nowhere', 'operator', 'POST /admin/replays', { ...REPLAY, from: {} }, 400, 'validation-failed'],
  ['a replay from two places', 'operator', 'POST /admin/replays', { ...REPLAY, from: { start: true, payNo: '{payNo}' } }, 400, 'validation-failed'],
  ['a replay from a position as a number', 'operator', 'POST /admin/replays', { ...REPLAY, from: { position: 1 } }, 400, 'validation-failed'],
  ['a replay from a day that is no time', 'operator', 'POST /admin/replays', { ...REPLAY, from: { time: 'yesterday' } }, 400, 'validation-failed'],
  ['a replay of an unknown payment', 'operator', 'POST /admin/replays', { ...REPLAY, from: { payNo: 'none' } }, 404, 'payment-unknown'],
  ['a replay of one payment with an end', 'operator', 'POST /admin/replays', { ...REPLAY, from: { payNo: '{paidPayNo}' }, to: { position: '1' } }, 400, 'range-contradictory'],
  ['a replay that ends before it begins', 'operator', 'POST /admin/replays', { ...REPLAY, from: { position: '2' }, to: { position: '1' } }, 400, 'range-empty'],
  ['a replay at no rate', 'operator', 'POST /admin/replays', { ...REPLAY, ratePerSecond: 0 }, 400, 'validation-failed'],
  ['a replay with an unknown member', 'operator', 'POST /admin/replays', { ...REPLAY, dryRun: true }, 400, 'validation-failed'],
  ['an unknown replay', 'operator', 'GET /admin/replays/none', null, 404, 'replay-unknown'],
  ['an unknown replay to be cancelled', 'operator', 'POST /admin/replays/none/cancel', null, 404, 'replay-unknown'],
  ['a finished replay to be cancelled', 'operator', 'POST /admin/replays/{replay}/cancel', null, 409, 'replay-finished'],
  ['the trail of an unknown payment', 'operator', 'GET /admin/payments/none', null, 404, 'payment-unknown'],
  ['parked messages of an unknown module', 'operator', 'GET /admin/parked?module=billing', null, 400, 'validation-failed'],
  ['an unknown parked message', 'operator', 'POST /admin/parked/999999/redrive', null, 404, 'parked-unknown'],
  ['a parked message that is no number', 'operator', 'POST /admin/parked/first/redrive', null, 400, 'validation-failed'],
  ['a parked message beyond all numbers', 'operator', 'POST /admin/parked/9999999999999999999/redrive', null, 400, 'validation-failed'],
  ['a page of parked messages beyond all numbers', 'operator', 'GET /admin/parked?before=9999999999999999999', null, 400, 'validation-failed'],
];

/** Webhooks have no token; the first rows are not signed, the others are and their text is at fault. */
const WEBHOOKS: readonly Row[] = [
  ['a webhook without signature', 'nobody', 'POST /webhooks/standard/demo', { type: 'payment.succeeded' }, 401, 'webhook-refused'],
  ['a webhook of an unknown provider', 'nobody', 'POST /webhooks/paypal/demo', {}, 401, 'webhook-refused'],
  ['a webhook of an unknown account', 'nobody', 'POST /webhooks/standard/other', {}, 401, 'webhook-refused'],
  ['a webhook of more than 1 MiB', 'nobody', 'POST /webhooks/standard/demo', 'x'.repeat(1024 * 1024 + 1), 413, 'body-too-large'],
  ['a webhook that is asked for', 'nobody', 'GET /webhooks/standard/demo', null, 405, 'method-not-allowed'],
];

async function ask([, caller, request, body]: Row): Promise<Response> {
  const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (all, name: string) => names[name] ?? all);
  const [method = '', path = ''] = request.split(' ');
  const token = { shop: site.tokens.service, operator: site.tokens.admin, nobody: null, stranger: 'x'.repeat(43) }[caller];
  const payload = typeof body === 'string' ? body : fill(JSON.stringify(body));
  return fetch(site.app.url + fill(path), {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === null ? {} : { 'content-type': 'application/json' }) },
    ...(body === null ? {} : { body: payload }),
  });
}

describe.each([
  ['the shop', SHOP],
  ['operators', OPERATORS],
  ['providers', WEBHOOKS],
])('a bad request to the routes of %s gets its exact answer', (_who, table) => {
  test.each(table)('%s', async (...row) => {
    const [, , , , status, code] = row;
    const answer = await ask(row);
    const problem = (await answer.json()) as { type: string; status: number; traceId: string };
    expect([answer.status, problem.type]).toEqual([status, `urn:paynotify:problem:${code}`]);
    expect(problem.status).toBe(status);
    expect(problem.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });
});

describe('a webhook with a right signature', () => {
  /** The signature is made here, by the specification alone, so that a mistake in the program's own signing shows. */
  async function send(text: string, id = 'msg_bad', timestamp = String(Math.floor(Date.now() / 1000))): Promise<[number, string]> {
    const secret = site.signingKeys.flatMap((key) => (key.provider === 'standard' ? [key.secret] : []))[0] ?? '';
    const signature = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(`${id}.${timestamp}.${text}`).digest('base64');
    const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
    const answer = await fetch(`${site.app.url}/webhooks/standard/demo`, { method: 'POST', headers, body: text });
    const { type = '', outcome = '' } = (await answer.json()) as { type?: string; outcome?: string };
    return [answer.status, type.replace('urn:paynotify:problem:', '') || outcome];
  }
  const success = (data: object): string =>
    JSON.stringify({ type: 'payment.succeeded', data: { payNo: names.payNo, tradeNo: 't-1', amount: '19900', currency: 'CNY', paidAt: new Date().toISOString(), ...data } });

  test.each<[string, () => string, number, string]>([
    ['that is no JSON', () => 'hello', 400, 'webhook-malformed'],
    ['of an amount as a number', () => success({ amount: 19900 }), 400, 'webhook-malformed'],
    ['of a payNo that climbs', () => success({ payNo: '../x' }), 400, 'webhook-malformed'],
    ['for a payment nobody asked for', () => success({ payNo: 'nobody-asked' }), 503, 'payment-unknown'],
    ['of another kind', () => '{"type":"invoice.created","data":{}}', 200, 'not-handled'],
    ['of another currency', () => success({ currency: 'USD' }), 200, 'rejected'],
    ['of another amount', () => success({ amount: '19901' }), 200, 'rejected'],
    ['of another amount, again', () => success({ amount: '19901' }), 200, 'rejected'],
  ])('%s', async (_what, text, status, outcome) => {
    expect(await send(text())).toEqual([status, outcome]);
  });

  test('that is six minutes old', async () => {
    expect(await send(success({}), 'msg_old', String(Math.floor(Date.now() / 1000) - 360))).toEqual([401, 'webhook-refused']);
  });
});

test('none of this has paid, parked or changed anything', async () => {
  expect(await site.shop.call('GET', `/orders/${names.order}`)).toMatchObject({ status: '600001', payRecords: [{ status: '601001' }] });
  expect(await site.shop.call('GET', '/admin/parked', undefined, 'admin')).toEqual({ parked: [] });
  const courses = await site.query('SELECT course_id FROM courses WHERE course_id = $1', ['c1']);
  expect(courses).toEqual([]);
  const [orders] = await site.query<{ count: number }>('SELECT count(*)::int FROM orders');
  expect(orders?.count).toBe(2);
  expect(SHOP.length + OPERATORS.length + WEBHOOKS.length).toBeGreaterThanOrEqual(30);
});
