import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { until } from '../harness/until.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/** A message that cannot be applied, among others that can: it is parked alone, and an operator puts it right. */

const LOAD = 20;
const PARKED_WITHIN_MS = 30_000;

const APPLIED_BEFORE_IT = `
  SELECT ledger.pay_no FROM effect_ledger ledger, parked_messages parked
  WHERE parked.id = $1 AND ledger.module = parked.module AND ledger.pay_no <> $2 AND ledger.applied_at < parked.parked_at`;

let site: Site;
let foreigner: Connection;
const paid: OpenPayment[] = [];

beforeAll(async () => {
  site = await openSite();
  foreigner = new Connection({ url: site.rabbitMqUrl, tls: brokerTls(site.rabbitMqUrl) });
  await (await site.start()).ready;
});

afterAll(async () => {
  await foreigner?.close();
  await site?.close();
});

interface Parked {
  readonly id: string;
  readonly module: string;
  readonly payNo: string | null;
  readonly reason: string;
  readonly attempts: number;
}

async function listParked(): Promise<Parked[]> {
  return (await site.shop.call<{ parked: Parked[] }>('GET', '/admin/parked', undefined, 'admin')).parked;
}

function untilParked(count: number): Promise<Parked[]> {
  return until(`${count} parked messages`, PARKED_WITHIN_MS, async () => {
    const parked = await listParked();
    return parked.length === count ? parked : null;
  });
}

test('a payment whose selection is gone is parked after three attempts while its neighbours have their effect, and is redriven', async () => {
  const payments = await site.shop.openPayments(LOAD);
  const [poison, ...neighbours] = payments as [OpenPayment, ...OpenPayment[]];
  const [selection] = await site.query<Record<string, unknown>>('DELETE FROM selections WHERE selection_id = $1 RETURNING *', [poison.outBusinessId]);

  await site.shop.payUntilAcknowledged(poison);
  await until('the first attempt', PARKED_WITHIN_MS, async () => ((await site.metric('paynotify_consumer_retries_total{module="learning",kind="message"}')) > 0 ? true : null));
  await site.shop.payAll(neighbours);
  const [parked] = await untilParked(1);
  // The attempts are a second apart, and the payments that came in between did not wait for them.
  expect(await site.query(APPLIED_BEFORE_IT, [parked?.id, poison.payNo])).not.toEqual([]);
  expect(parked).toMatchObject({ module: 'learning', payNo: poison.payNo, reason: 'selection-unknown', attempts: 3 });
  paid.push(...neighbours);
  await site.assertWhole(paid, { parked: 1 });
  expect(await site.shop.call('GET', `/orders/${poison.orderId}`)).toMatchObject({ status: '600002' });

  const redrive = () => site.shop.call<{ outcome: string }>('POST', `/admin/parked/${parked?.id}/redrive`, undefined, 'admin');
  expect(await redrive()).toMatchObject({ outcome: 'still-failing', code: 'selection-unknown' });
  const columns = Object.keys(selection ?? {});
  const places = columns.map((_column, index) => `$${index + 1}`);
  await site.query(`INSERT INTO selections (${columns.join(', ')}) VALUES (${places.join(', ')})`, Object.values(selection ?? {}));
  expect(await redrive()).toMatchObject({ outcome: 'applied' });
  paid.push(poison);
  await site.assertWhole(paid);
});

test('messages that nobody of ours sent are parked by every module, and the payments around them have their effect', async () => {
  const payments = await site.shop.openPayments(LOAD);
  const channel = await foreigner.acquire();
  await channel.confirmSelect();
  const paying = site.shop.payAll(payments);
  for (const body of ['hello', '{"messageType":"payresult_notify"}']) {
    await channel.basicPublish({ exchange: PAYNOTIFY_EXCHANGE, routingKey: '', durable: true }, Buffer.from(body));
  }
  await channel.close();
  await paying;

  paid.push(...payments);
  await site.assertWhole(paid, { parked: 4 });
  const parked = await untilParked(4);
  expect(parked.map(({ module, reason }) => `${module} ${reason}`).sort()).toEqual(['learning unparseable', 'learning unparseable', 'orders unparseable', 'orders unparseable']);
});
