import { expect } from 'vitest';
import type { Site } from '../../harness/site.ts';
import { PERSON } from './hostile-request.ts';
import type { KnownThings } from './known-things.ts';

/** Requests that each went wrong in a way of its own, whatever the seed: [method, path and query, body, what is named]. */
function fixedRequests(orderId: string): readonly (readonly [string, string, string | null, readonly string[]])[] {
  const order = (item: object) => JSON.stringify({ outBusinessId: 'fixed', orderType: '60202', userId: 'u', items: [{ goodsId: 'g', goodsType: 'book', goodsName: 'Book', price: '4500', ...item }] });
  const replay = (range: object) => JSON.stringify({ module: 'learning', mode: 'missing', ...range });
  const body = (...names: readonly string[]) => names.map((name) => `body#/${name}`);
  return [
    ['POST', '/orders', order({ orderId, lineNo: 77 }), body('items/0/lineNo', 'items/0/orderId')],
    ['POST', '/orders', order({ quantity: 2 }), body('items/0/quantity')],
    ['POST', '/orders', order({ recipient: PERSON }), body('items/0/recipient')],
    ['POST', '/orders', order({ ['x'.repeat(60_000)]: 1 }), body(`items/0/${'x'.repeat(64)}%E2%80%A6`)],
    ['POST', '/orders', `${'['.repeat(20_000)}"\\u0000"${']'.repeat(20_000)}`, []],
    ['GET', '/admin/notifications?_=1', null, ['query#/_']],
    ['GET', '/admin/notifications?OR=1', null, ['query#/OR']],
    ['GET', '/admin/parked?foo=1', null, ['query#/foo']],
    ['GET', '/admin/callbacks?before=2026-02-30T00:00:00.000Z', null, ['query#/before']],
    ['GET', '/admin/callbacks?before=2026-02-30', null, ['query#/before']],
    ...['0001-01-01T00:00:00Z', '2026-06-30T23:59:60Z', '9999-12-31T23:59:59Z'].flatMap((time) => [
      ['POST', '/admin/replays', replay({ from: { time } }), body('from/time')] as const,
      ['POST', '/admin/replays', replay({ from: { start: true }, to: { time } }), body('to/time')] as const,
    ]),
  ];
}

/** Each is refused with 400 that names the members, and changes nothing. */
export async function assertFixedRequestsAreRefused(site: Site, { known }: KnownThings): Promise<void> {
  const orderId = known('orderId', '')[0] ?? '';
  const linesOf = () => site.query('SELECT line_no, goods_id FROM order_items WHERE order_id = $1 ORDER BY line_no', [orderId]);
  const before = await linesOf();
  for (const [method, target, body, named] of fixedRequests(orderId)) {
    const token = target.startsWith('/admin') ? site.tokens.admin : site.tokens.service;
    const answer = await fetch(site.app.url + target, { method, body, headers: { authorization: `Bearer ${token}`, ...(body === null ? {} : { 'content-type': 'application/json' }) } });
    const { errors = [] } = (await answer.json()) as { errors?: readonly { in: string; pointer: string }[] };
    expect([target, body?.slice(0, 300), answer.status, errors.map((error) => `${error.in}${error.pointer}`).sort()]).toEqual([target, body?.slice(0, 300), 400, [...named].sort()]);
  }
  expect(await linesOf()).toEqual(before);
  expect(await site.query(`SELECT 1 FROM orders WHERE out_business_id = 'fixed'`)).toEqual([]);
}
