import { expect, test } from 'vitest';
import type { OpenPayment } from '../harness/shop.ts';
import { race, tally, type Call, type Racing } from './race.ts';

/** What the shop asks for many times at once; part of one-winner.test.ts, on its applications. */
export function shopRaces(racing: () => Racing, times: (call: Call) => Call[]): void {
  const many = times({ path: '/' }).length;
  const materials = (userId: string, outBusinessId: string) => ({ outBusinessId, orderType: '60202', userId, items: [{ goodsId: 'book', goodsType: 'book', goodsName: 'Workbook', price: '4500' }, { goodsId: 'pen', goodsType: 'pen', goodsName: 'Pen', price: '500' }] });
  const ordering = (userId: string, outBusinessId: string) => times({ path: '/orders', as: 'service', body: materials(userId, outBusinessId) });
  const orderRow = (orderId: string, outBusinessId: string) =>
    `INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name) VALUES ('${orderId}', '${outBusinessId}', '60202', 'another', '600001', 1, 'CNY', 'x')`;

  test('an order is placed by one, and the others get it', async () => {
    const answers = await race(racing(), { hold: orderRow('o-1', 'b-1'), end: 'ROLLBACK' }, ordering('u', 'b-1'));
    expect(tally(answers)).toEqual({ 201: 1, 200: many - 1 });
    const [orderId] = [...new Set(answers.map(({ json }) => json['orderId'] as string))];
    expect(answers.every(({ json }) => json['orderId'] === orderId)).toBe(true);
    expect(await racing().site.query('SELECT line_no FROM order_items WHERE order_id = $1', [orderId])).toHaveLength(2);
  });

  test('an order of somebody else that comes first refuses all', async () => {
    expect(tally(await race(racing(), { hold: orderRow('o-2', 'b-2') }, ordering('u', 'b-2')))).toEqual({ '409 order-contradicts': many });
  });

  test.each([['charged', '201001', '100'], ['free', '201000', '0']])('a %s course is selected by one, and the others get the selection', async (kind, charge, price) => {
    const courseId = `course-${kind}`;
    const publish: Call = { method: 'PUT', path: `/learning/courses/${courseId}`, as: 'service', body: { name: 'C', companyId: 'c', charge, price, validDays: 5 } };
    const course = `INSERT INTO courses (course_id, company_id, name, charge, price, valid_days) VALUES ('${courseId}', 'c', 'x', '201001', 1, 1)`;
    expect(tally(await race(racing(), { hold: course, end: kind === 'free' ? 'COMMIT' : 'ROLLBACK' }, times(publish)))).toEqual({ 200: many });
    const [type, status, from, to] = kind === 'free' ? ['700001', '701001', 'now()', "now() + interval '1 day'"] : ['700002', '701002', 'NULL', 'NULL'];
    const selection = `INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, valid_days, status, valid_from, valid_to)
      VALUES ('s-${kind}', '${courseId}', 'x', 'c', 'u', '${type}', ${price}, 1, '${status}', ${from}, ${to})`;
    const answers = await race(racing(), { hold: selection, end: 'ROLLBACK' }, times({ path: '/learning/selections', as: 'service', body: { userId: 'u', courseId } }));
    expect(tally(answers)).toEqual({ 201: 1, 200: many - 1 });
    expect(new Set(answers.map(({ json }) => json['selectionId'])).size).toBe(1);
  });

  const opening = ({ orderId, provider, account }: OpenPayment): Call[] => times({ path: `/orders/${orderId}/payments`, as: 'service', body: { provider, account } });
  const lockOf = ({ orderId }: OpenPayment): string => `SELECT 1 FROM orders WHERE order_id = '${orderId}' FOR UPDATE`;

  test('payments of one order are opened by all, each its own, and a closed order is open again', async () => {
    const payment = await racing().site.shop.openPayment();
    const hold = `${lockOf(payment)}; UPDATE pay_records SET closed_at = now() WHERE pay_no = '${payment.payNo}'; UPDATE orders SET status = '600003' WHERE order_id = '${payment.orderId}'`;
    const answers = await race(racing(), { hold }, opening(payment));
    expect(tally(answers)).toEqual({ 201: many });
    expect(new Set(answers.map(({ json }) => json['payNo'])).size).toBe(many);
    expect(await racing().site.query('SELECT status FROM orders WHERE order_id = $1', [payment.orderId])).toEqual([{ status: '600001' }]);
    expect(await racing().site.query('SELECT 1 FROM pay_records WHERE order_id = $1 AND requested', [payment.orderId])).toHaveLength(many + 1);
  });

  test('no payment is opened of an order that is paid meanwhile', async () => {
    const payment = await racing().site.shop.openPayment();
    const paid = `UPDATE pay_records SET status = '601002', paid_at = now(), paid_position = 5, provider_trade_no = 'trade', channel = 'standard' WHERE pay_no = '${payment.payNo}';
      UPDATE orders SET status = '600002', paid_at = now(), paid_pay_no = '${payment.payNo}' WHERE order_id = '${payment.orderId}'`;
    const answers = await race(racing(), { hold: `${lockOf(payment)}; ${paid}` }, opening(payment));
    expect(tally(answers)).toEqual({ '409 order-already-paid': many });
    expect(await racing().site.query('SELECT 1 FROM pay_records WHERE order_id = $1 AND requested', [payment.orderId])).toHaveLength(1);
  });
}
