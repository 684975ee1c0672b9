import { signSuccess } from '../../../src/modules/payments/index.ts';
import type { Site } from '../../harness/site.ts';
import { until } from '../../harness/until.ts';
import type { KnownValues } from './request.ts';

export interface KnownThings {
  readonly known: KnownValues;
}

const WITHIN_MS = 60_000;
/** Enough that some are left when others have been closed, settled or redriven. */
const COUNT = 12;

/** Makes one of everything that a route of the application can be asked for. */
export async function makeKnownThings(site: Site): Promise<KnownThings> {
  const { shop } = site;
  const payments = await shop.openPayments(COUNT);
  const unpaid = await shop.openPayments(COUNT);
  const broken = await shop.openPayments(COUNT);
  await site.query('DELETE FROM selections WHERE selection_id = ANY($1)', [broken.map(({ outBusinessId }) => outBusinessId)]);
  const again = await Promise.all(payments.map((payment) => shop.openAnother(payment)));
  await shop.payAll([...payments, ...again, ...broken]);
  await Promise.all(Array.from({ length: COUNT }, (_, n) => sayUnknown(site, `never-opened-${n}`)));
  const replay = await shop.call<{ id: string }>('POST', '/admin/replays', { module: 'learning', from: { start: true }, mode: 'missing' }, 'admin');
  const list = async (path: string, member: string): Promise<readonly Readonly<Record<string, string>>[]> => {
    const answer = await shop.call<Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>>('GET', path, undefined, 'admin');
    return answer[member] ?? [];
  };
  const enough = (path: string, member: string) => until(`${COUNT - 1} ${member}`, WITHIN_MS, async () => ((await list(path, member)).length >= COUNT - 1 ? list(path, member) : null));
  const [parked, notifications, items] = await Promise.all([enough('/admin/parked', 'parked'), enough('/admin/notifications', 'notifications'), enough('/admin/work-items', 'items')]);
  const idsOf = (rows: readonly Readonly<Record<string, string>>[]): readonly string[] => rows.map(({ id }) => id as string);
  const ids: Readonly<Record<string, readonly string[]>> = { parked: idsOf(parked), notifications: idsOf(notifications), replays: [replay.id] };
  const values: Readonly<Record<string, readonly string[]>> = {
    payNo: [...payments, ...again, ...unpaid].map(({ payNo }) => payNo),
    orderId: [...payments, ...unpaid].map(({ orderId }) => orderId),
    selectionId: payments.map(({ outBusinessId }) => outBusinessId),
    userId: payments.map(({ userId }) => userId),
    courseId: [shop.courseId],
    provider: site.signingKeys.map(({ provider }) => provider),
    account: ['demo'],
    currency: ['CNY'],
    price: ['4500', '0', '1'],
    // The other kind needs a selection that no order was placed for yet.
    orderType: ['60202'],
  };
  const known: KnownValues = (name, path) => {
    if (name === 'id') return Object.entries(ids).find(([list]) => path.includes(`/${list}/`))?.[1] ?? [];
    if (name === 'orderId' && path.endsWith('/payments')) return unpaid.map(({ orderId }) => orderId);
    if (name === 'payNo' && path.includes('/work-items/')) return idsOf(items);
    return values[name] ?? [];
  };
  return { known };
}

/** Of a payment that nobody has opened: it is kept, and the provider told to send it again. */
async function sayUnknown(site: Site, payNo: string): Promise<void> {
  const key = site.signingKeys.find(({ provider }) => provider === 'standard');
  if (key === undefined) throw new Error('there is no account of a standard sender');
  const { path, headers, body } = signSuccess(key, { payNo, amount: '100', currency: 'CNY', tradeNo: `trade-${payNo}`, paidAt: new Date(), notificationId: `msg_${payNo}` });
  await (await fetch(site.app.url + path, { method: 'POST', headers, body })).arrayBuffer();
}
