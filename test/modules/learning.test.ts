import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrderType } from '../../src/contracts/codes.ts';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { apply, newUser, openShop, paid, permutations, publish, select, type Shop } from './shop.ts';

const handler = learningHandler();
const DAY_MS = 86_400_000;
const OPEN = { courseId: 'c', courseName: 'Algebra', companyId: 'c1', selectionType: '700002', price: 1999n, status: '701002' };
const at = (day: number): Date => new Date(Date.UTC(2026, 0, 1) + day * DAY_MS);

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const right = async (userId: string, courseId: string): Promise<string> => (await shop.call('GET', `/learning/users/${userId}/courses/${courseId}/right`)).body.right;
const myCourse = (userId: string, courseId: string) => shop.db.myCourse.findUnique({ where: { userId_courseId: { userId, courseId } } });
const pay = (selectionId: string, userId: string, paidAt: Date) => paid({ outBusinessId: selectionId, userId, paidAt: paidAt.toISOString() });

describe('publishing a course', () => {
  it('stores it, and changes it when asked again', async () => {
    const offer = { name: '代数', companyId: 'c1', charge: '201001', price: '1999', validDays: 30 };
    expect(await shop.call('PUT', '/learning/courses/a1', offer)).toEqual({ status: 200, body: { courseId: 'a1', currency: 'CNY', ...offer } });
    expect((await shop.call('PUT', '/learning/courses/a1', { ...offer, currency: 'JPY' })).body).toMatchObject({ currency: 'JPY' });
    const changed = await shop.call('PUT', '/learning/courses/a1', { ...offer, price: '900000000000000' });
    expect(changed.body.price).toBe('900000000000000');
  });

  it.each([
    ['a free course with a price', { charge: '201000', price: '1' }, 422, 'price-contradicts-charge'],
    ['a charged course without a price', { charge: '201001', price: '0' }, 422, 'price-contradicts-charge'],
    ['a price above every limit', { price: '1000000000000001' }, 422, 'price-invalid'],
    ['a currency nobody can pay in', { currency: 'XTS' }, 422, 'currency-not-supported'],
    ['a currency in lower case', { currency: 'cny' }, 400, 'validation-failed'],
    ['a price in yuan', { price: '19.99' }, 400, 'validation-failed'],
    ['a price as a number', { price: 1999 }, 400, 'validation-failed'],
    ['a charge of another dictionary', { charge: '201002' }, 400, 'validation-failed'],
    ['no day of validity', { validDays: 0 }, 400, 'validation-failed'],
    ['a name with NUL in it', { name: 'a\0b' }, 400, 'json-invalid'],
  ])('refuses %s', async (_, change, status, code) => {
    const answer = await shop.call('PUT', '/learning/courses/bad', { name: 'A', companyId: 'c', charge: '201001', price: '1', validDays: 1, ...change });
    expect(answer).toMatchObject({ status, body: { type: `urn:paynotify:problem:${code}` } });
    expect(await shop.db.course.count({ where: { courseId: 'bad' } })).toBe(0);
  });
});

describe('selecting a free course', () => {
  it('is selected at once and stands among the user\'s courses', async () => {
    const [userId, courseId] = [newUser(), await publish(shop, { charge: '201000', price: '0', validDays: 30 })];
    shop.time = at(0);
    const { status, body } = await shop.call('POST', '/learning/selections', { userId, courseId });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: '701001', selectionType: '700001', price: '0', validFrom: at(0).toISOString(), validTo: at(30).toISOString() });
    expect(body.selectionId).toMatch(/^\d{19}$/);
    expect(await myCourse(userId, courseId)).toMatchObject({ selectionId: body.selectionId, courseType: '700001', validTo: at(30) });
    expect(await right(userId, courseId)).toBe('702001');
  });

  it('is one selection and one row when 50 requests race', async () => {
    const [userId, courseId] = [newUser(), await publish(shop, { charge: '201000', price: '0' })];
    const answers = await Promise.all(Array.from({ length: 50 }, () => shop.call('POST', '/learning/selections', { userId, courseId })));
    expect(new Set(answers.map(({ body }) => body.selectionId)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(await shop.db.selection.count({ where: { userId } })).toBe(1);
    expect(await shop.db.myCourse.count({ where: { userId } })).toBe(1);
  });

  it('expires at its end to the millisecond, and selecting it again renews it', async () => {
    const [userId, courseId] = [newUser(), await publish(shop, { charge: '201000', price: '0', validDays: 10 })];
    shop.time = at(0);
    const selectionId = await select(shop, userId, courseId);
    shop.time = new Date(at(10).getTime() - 1);
    expect(await right(userId, courseId)).toBe('702001');
    shop.time = at(10);
    expect(await right(userId, courseId)).toBe('702003');
    const renewed = await shop.call('POST', '/learning/selections', { userId, courseId });
    expect(renewed).toMatchObject({ status: 200, body: { selectionId, validFrom: at(10).toISOString(), validTo: at(20).toISOString() } });
    expect(await right(userId, courseId)).toBe('702001');
    expect(await myCourse(userId, courseId)).toMatchObject({ validFrom: at(10), validTo: at(20) });
  });
});

describe('selecting a charged course', () => {
  it('awaits payment and gives no right yet', async () => {
    const [userId, courseId] = [newUser(), await publish(shop)];
    const { status, body } = await shop.call('POST', '/learning/selections', { userId, courseId });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: '701002', selectionType: '700002', price: '1999', validFrom: null, validTo: null });
    expect((await shop.call('GET', `/learning/selections/${body.selectionId}`)).body).toEqual(body);
    expect(await right(userId, courseId)).toBe('702002');
    expect(await myCourse(userId, courseId)).toBeNull();
  });

  it('is one open selection when 50 requests race, and each answer is that one', async () => {
    const [userId, courseId] = [newUser(), await publish(shop)];
    const answers = await Promise.all(Array.from({ length: 50 }, () => shop.call('POST', '/learning/selections', { userId, courseId })));
    expect(new Set(answers.map(({ body }) => body.selectionId)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await shop.db.selection.count({ where: { userId } })).toBe(1);
  });

  it('keeps the price of the open selection when the course becomes dearer', async () => {
    const [userId, courseId] = [newUser(), await publish(shop)];
    const selectionId = await select(shop, userId, courseId);
    await shop.db.course.update({ where: { courseId }, data: { price: 2500n } });
    const again = await shop.call('POST', '/learning/selections', { userId, courseId });
    expect(again).toMatchObject({ status: 200, body: { selectionId, price: '1999' } });
  });

  it('is 404 for a course nobody published, and for a selection nobody made', async () => {
    expect(await shop.call('POST', '/learning/selections', { userId: 'u', courseId: 'no-such' })).toMatchObject({ status: 404, body: { type: 'urn:paynotify:problem:course-unknown' } });
    expect(await shop.call('GET', '/learning/selections/42')).toMatchObject({ status: 404, body: { type: 'urn:paynotify:problem:selection-unknown' } });
  });
});

describe('the effect of a payment', () => {
  it('is wanted for course payments that succeeded or were refunded, and for nothing else', () => {
    const message = paid({ outBusinessId: 's' });
    expect(handler.actsOn(message)).toBe(true);
    expect(handler.actsOn({ ...message, businessKey2: OrderType.studyMaterials })).toBe(false);
    expect(handler.actsOn({ ...message, messageType: 'payrefund_notify', type: 'PaymentRefunded' })).toBe(true);
    expect(['payclosed_notify', 'payattemptfailed_notify'].map((messageType) => handler.actsOn({ ...message, messageType }))).toEqual([false, false]);
  });

  it('selects the course from the time of payment on, for its days of 24 hours', async () => {
    const [userId, courseId] = [newUser(), await publish(shop, { validDays: 30 })];
    const selectionId = await select(shop, userId, courseId);
    await apply(shop, handler, pay(selectionId, userId, at(5)));
    expect(await shop.db.selection.findUnique({ where: { selectionId } })).toMatchObject({ status: '701001', validFrom: at(5), validTo: at(35) });
    expect(await myCourse(userId, courseId)).toMatchObject({ selectionId, courseType: '700002', validFrom: at(5), validTo: at(35) });
    shop.time = at(34);
    expect(await right(userId, courseId)).toBe('702001');
  });

  it('is the same when it is applied again, in one batch or later', async () => {
    const [userId, courseId] = [newUser(), await publish(shop)];
    const selectionId = await select(shop, userId, courseId);
    const message = pay(selectionId, userId, at(5));
    await apply(shop, handler, message, message);
    const rows = async () => [await shop.db.selection.findMany({ where: { userId } }), await shop.db.myCourse.findMany({ where: { userId } })];
    const first = await rows();
    await apply(shop, handler, message);
    expect(await rows()).toEqual(first);
    expect(first.map((row) => row.length)).toEqual([1, 1]);
  });

  it('extends the validity when the course is paid again after its end', async () => {
    const [userId, courseId] = [newUser(), await publish(shop, { validDays: 10 })];
    await apply(shop, handler, pay(await select(shop, userId, courseId), userId, at(0)));
    shop.time = at(20);
    expect(await right(userId, courseId)).toBe('702003');
    const second = await select(shop, userId, courseId);
    await apply(shop, handler, pay(second, userId, at(20)));
    expect(await right(userId, courseId)).toBe('702001');
    expect(await myCourse(userId, courseId)).toMatchObject({ selectionId: second, validFrom: at(20), validTo: at(30) });
    expect(await shop.db.myCourse.count({ where: { userId } })).toBe(1);
  });

  it('gives the same rows for three payments in every order, one by one and in one batch', async () => {
    // One selection at a time can be open; here three are, so that their payments can be mixed.
    const lax = await openShop();
    await lax.db.$executeRaw`DROP INDEX selections_one_awaiting_payment`;
    const seen = new Set<string>();
    for (const order of permutations([0, 1, 2, 3])) {
      for (const batched of [false, true]) {
        const userId = newUser();
        const ids = [0, 1, 2].map((index) => `${userId}-${index}`);
        const [first, second, third] = ids as [string, string, string];
        await lax.db.selection.createMany({ data: ids.map((selectionId, index) => ({ ...OPEN, selectionId, userId, validDays: [30, 100, 30][index]! })) });
        // The newest is short: its end must not cut off the long one. The second is paid twice.
        const messages = [pay(first, userId, at(0)), pay(second, userId, at(10)), pay(third, userId, at(20)), pay(second, userId, at(12))];
        const sorted = order.map((index) => messages[index]!);
        if (batched) await apply(lax, handler, ...sorted);
        else for (const message of sorted) await apply(lax, handler, message);
        const selections = await lax.db.selection.findMany({ where: { userId }, orderBy: { selectionId: 'asc' } });
        const rows = await lax.db.myCourse.findMany({ where: { userId } });
        seen.add(JSON.stringify(selections.map(({ validFrom, validTo, status }) => [validFrom, validTo, status])));
        seen.add(JSON.stringify(rows.map((row) => [ids.indexOf(row.selectionId), row.validFrom, row.validTo])));
      }
    }
    await lax.close();
    expect([...seen]).toEqual([
      JSON.stringify([[at(0), at(30), '701001'], [at(10), at(110), '701001'], [at(20), at(50), '701001']]),
      JSON.stringify([[2, at(20), at(110)]]),
    ]);
  });

  it('refuses a payment of an unknown selection by name, and writes nothing of its batch', async () => {
    const [userId, courseId] = [newUser(), await publish(shop)];
    const selectionId = await select(shop, userId, courseId);
    const batch = [pay(selectionId, userId, at(0)), pay('no-such-selection', userId, at(0))];
    await expect(apply(shop, handler, ...batch)).rejects.toMatchObject({ code: 'selection-unknown', message: expect.stringContaining('no-such-selection') });
    expect(await shop.db.selection.findUnique({ where: { selectionId } })).toMatchObject({ status: '701002' });
    expect(await myCourse(userId, courseId)).toBeNull();
  });

  it('refuses a payment of somebody else\'s selection and of a free one', async () => {
    const userId = newUser();
    const charged = await select(shop, userId, await publish(shop));
    const free = await select(shop, userId, await publish(shop, { charge: '201000', price: '0' }));
    await expect(apply(shop, handler, pay(charged, 'thief', at(0)))).rejects.toMatchObject({ code: 'selection-of-another-user' });
    await expect(apply(shop, handler, pay(free, userId, at(0)))).rejects.toMatchObject({ code: 'selection-not-charged' });
  });

  it('writes a batch of 100 payments, some twice, as 100 rows', async () => {
    const courseId = await publish(shop);
    const users = Array.from({ length: 100 }, newUser);
    const messages = await Promise.all(users.map(async (userId) => pay(await select(shop, userId, courseId), userId, at(1))));
    await apply(shop, handler, ...messages, ...messages.slice(0, 20));
    expect(await shop.db.myCourse.count({ where: { courseId } })).toBe(100);
    expect(await shop.db.selection.count({ where: { courseId, status: '701001' } })).toBe(100);
  });

  it('and a free selection at the same moment leave a row that holds both', async () => {
    for (let round = 0; round < 20; round++) {
      const [userId, courseId] = [newUser(), await publish(shop, { validDays: 10 })];
      const selectionId = await select(shop, userId, courseId);
      await shop.db.course.update({ where: { courseId }, data: { charge: '201000', price: 0n } });
      shop.time = at(3);
      await Promise.all([apply(shop, handler, pay(selectionId, userId, at(0))), select(shop, userId, courseId)]);
      expect(await myCourse(userId, courseId)).toMatchObject({ courseType: '700001', validFrom: at(3), validTo: at(13) });
    }
  });
});

it('lists a user\'s courses in pages, the newest first', async () => {
  const userId = newUser();
  for (const day of [1, 2, 3]) await apply(shop, handler, pay(await select(shop, userId, await publish(shop)), userId, at(day)));
  const first = await shop.call('GET', `/learning/users/${userId}/courses?page=1&pageSize=2`);
  const second = await shop.call('GET', `/learning/users/${userId}/courses?page=2&pageSize=2`);
  expect(first.body).toMatchObject({ page: 1, pageSize: 2, total: 3 });
  expect([...first.body.courses, ...second.body.courses].map((row) => row.validFrom)).toEqual([3, 2, 1].map((day) => at(day).toISOString()));
  expect((await shop.call('GET', `/learning/users/${userId}/courses?pageSize=1000`)).status).toBe(400);
});
