import { afterAll, beforeAll, expect, it } from 'vitest';
import { learningHandler } from '../../src/modules/learning/index.ts';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { apply, newUser, openShop, paid, permutations, publish, refunded, select, type Shop } from './shop.ts';

/** What refunds do to selections and my-courses; payments alone are in learning.test.ts. */
const handler = learningHandler();
const DAY_MS = 86_400_000;
const at = (day: number): Date => new Date(Date.UTC(2026, 0, 1) + day * DAY_MS);

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

interface Selected {
  readonly userId: string;
  readonly courseId: string;
  readonly selectionId: string;
}

async function selectedCourse(given: { userId?: string; courseId?: string; validDays?: number } = {}): Promise<Selected> {
  const { userId = newUser(), validDays = 30, courseId = await publish(shop, { validDays }) } = given;
  return { userId, courseId, selectionId: await select(shop, userId, courseId) };
}

const pay = ({ userId, selectionId }: Selected, payNo: string, day: number): PaymentMessage => paid({ outBusinessId: selectionId, userId, payNo: `${userId}-${payNo}`, paidAt: at(day).toISOString() });
const refund = ({ userId, selectionId }: Selected, payNo: string, day: number, refundedTotal = '1999'): PaymentMessage =>
  refunded({ outBusinessId: selectionId, userId, payNo: `${userId}-${payNo}`, refundedTotal, refundedAt: at(day).toISOString() });
const right = async ({ userId, courseId }: Selected): Promise<string> => (await shop.call('GET', `/learning/users/${userId}/courses/${courseId}/right`)).body.right;
const selectionOf = async ({ selectionId }: Selected) => (await shop.call('GET', `/learning/selections/${selectionId}`)).body;
const myCourse = ({ userId, courseId }: Selected) => shop.db.myCourse.findUnique({ where: { userId_courseId: { userId, courseId } } });

it('a full refund takes the right and the my-courses row, and marks the selection, which keeps its status', async () => {
  shop.time = at(1);
  const selected = await selectedCourse();
  await apply(shop, handler, pay(selected, 'a', 0));
  expect([await right(selected), (await selectionOf(selected)).refundedAt]).toEqual(['702001', null]);
  await apply(shop, handler, refund(selected, 'a', 1));
  expect(await right(selected)).toBe('702002');
  expect(await myCourse(selected)).toBeNull();
  expect(await selectionOf(selected)).toMatchObject({ status: '701001', refundedAt: at(1).toISOString(), validFrom: at(0).toISOString() });
});

it('a refund in part keeps everything, whatever its parts; the part that makes it full withdraws', async () => {
  shop.time = at(1);
  const selected = await selectedCourse();
  await apply(shop, handler, pay(selected, 'a', 0));
  const before = [await selectionOf(selected), await myCourse(selected)];
  await apply(shop, handler, refund(selected, 'a', 1, '1998'), refund(selected, 'a', 1, '500'));
  expect([await selectionOf(selected), await myCourse(selected)]).toEqual(before);
  await apply(shop, handler, refund(selected, 'a', 2));
  expect(await right(selected)).toBe('702002');
});

it('a refund that comes before its payment leaves no right behind when the payment comes', async () => {
  const selected = await selectedCourse();
  await apply(shop, handler, refund(selected, 'a', 1));
  expect(await selectionOf(selected)).toMatchObject({ status: '701002', refundedAt: null });
  await apply(shop, handler, pay(selected, 'a', 0));
  expect(await selectionOf(selected)).toMatchObject({ status: '701001', refundedAt: at(1).toISOString() });
  expect(await myCourse(selected)).toBeNull();
});

it('a refund of one of two payments keeps the right, from the payment that stands on, in every order and batching', async () => {
  const seen = new Set<string>();
  for (const order of permutations([0, 1, 2])) {
    for (const batched of [false, true]) {
      const selected = await selectedCourse();
      const messages = [pay(selected, 'a', 0), pay(selected, 'b', 5), refund(selected, 'a', 6)];
      const sorted = order.map((index) => messages[index]!);
      if (batched) await apply(shop, handler, ...sorted);
      else for (const message of sorted) await apply(shop, handler, message);
      const { validFrom, validTo } = (await myCourse(selected))!;
      seen.add(JSON.stringify([validFrom, validTo, (await selectionOf(selected)).refundedAt]));
    }
  }
  expect([...seen]).toEqual([JSON.stringify([at(5), at(35), null])]);
});

it('a later payment of a withdrawn selection gives the right again', async () => {
  shop.time = at(11);
  const selected = await selectedCourse();
  await apply(shop, handler, pay(selected, 'a', 0), refund(selected, 'a', 1));
  await apply(shop, handler, pay(selected, 'b', 10));
  expect([await right(selected), (await selectionOf(selected)).refundedAt]).toEqual(['702001', null]);
  expect(await myCourse(selected)).toMatchObject({ validFrom: at(10), validTo: at(40) });
});

it('selecting a withdrawn course again makes a new selection, which is paid like any other', async () => {
  shop.time = at(3);
  const first = await selectedCourse();
  await apply(shop, handler, pay(first, 'a', 0), refund(first, 'a', 1));
  const second = await selectedCourse(first);
  expect(second.selectionId).not.toBe(first.selectionId);
  expect(await selectionOf(second)).toMatchObject({ status: '701002', refundedAt: null });
  await apply(shop, handler, pay(second, 'b', 2));
  expect(await right(second)).toBe('702001');
  expect(await myCourse(second)).toMatchObject({ selectionId: second.selectionId, validFrom: at(2), validTo: at(32) });
});

it('a withdrawal leaves the row to what else the user has of the course: an earlier purchase, or a free selection', async () => {
  const older = await selectedCourse({ validDays: 100 });
  await apply(shop, handler, pay(older, 'a', 0));
  const newer = await selectedCourse(older);
  await apply(shop, handler, pay(newer, 'b', 10));
  expect(await myCourse(newer)).toMatchObject({ selectionId: newer.selectionId, validTo: at(110) });
  await apply(shop, handler, refund(newer, 'b', 11));
  expect(await myCourse(newer)).toMatchObject({ selectionId: older.selectionId, validFrom: at(0), validTo: at(100) });
  shop.time = at(12);
  await shop.db.course.update({ where: { courseId: older.courseId }, data: { charge: '201000', price: 0n } });
  const free = await selectedCourse(older);
  await apply(shop, handler, refund(older, 'a', 13));
  expect(await myCourse(free)).toMatchObject({ selectionId: free.selectionId, courseType: '700001', validFrom: at(12), validTo: at(112) });
});

it('a withdrawal and a free selection at the same moment leave the row of the free one', async () => {
  for (let round = 0; round < 40; round++) {
    const selected = await selectedCourse({ validDays: 10 });
    await apply(shop, handler, pay(selected, 'a', 5));
    await shop.db.course.update({ where: { courseId: selected.courseId }, data: { charge: '201000', price: 0n } });
    shop.time = at(3);
    await Promise.all([apply(shop, handler, refund(selected, 'a', 6)), select(shop, selected.userId, selected.courseId)]);
    expect(await myCourse(selected)).toMatchObject({ courseType: '700001', validFrom: at(3), validTo: at(13) });
  }
});

it('a refund that was applied is repaired with the my-courses row when it is applied again', async () => {
  const selected = await selectedCourse();
  await apply(shop, handler, pay(selected, 'a', 0));
  const row = (await myCourse(selected))!;
  const message = refund(selected, 'a', 1);
  await apply(shop, handler, message);
  await shop.db.myCourse.create({ data: row });
  await apply(shop, handler, message);
  expect(await myCourse(selected)).toBeNull();
});

it.each([
  ['selection-unknown', { outBusinessId: 'no-such-selection' }],
  ['selection-of-another-user', { userId: 'thief' }],
])('a refund is refused as %s, and its whole batch with it', async (code, facts) => {
  const [good, bad] = [await selectedCourse(), await selectedCourse()];
  const wrong = refunded({ outBusinessId: bad.selectionId, userId: bad.userId, ...facts });
  await expect(apply(shop, handler, pay(good, 'a', 0), wrong)).rejects.toMatchObject({ name: 'MessageError', code });
  expect(await selectionOf(good)).toMatchObject({ status: '701002' });
  expect(await shop.db.selectionPayment.count({ where: { selectionId: { in: [good.selectionId, bad.selectionId] } } })).toBe(0);
});

it('a refund of a free selection, or one that does not say how much was refunded in all, is refused', async () => {
  const userId = newUser();
  const free = await select(shop, userId, await publish(shop, { charge: '201000', price: '0' }));
  await expect(apply(shop, handler, refunded({ outBusinessId: free, userId }))).rejects.toMatchObject({ code: 'selection-not-charged' });
  const selected = await selectedCourse();
  const { refundedTotal: _, ...payment } = refund(selected, 'a', 1).payment;
  await expect(apply(shop, handler, { ...refund(selected, 'a', 1), payment })).rejects.toMatchObject({ code: 'refund-incomplete', retryable: false });
});
