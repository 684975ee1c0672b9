import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { MODULE_QUEUES, PAYNOTIFY_EXCHANGE, type ModuleName } from '../../src/contracts/topology.ts';
import { until } from '../harness/until.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/*
 * Somebody removes bindings by hand, again and again while payments are paid, so that the application's own binding every
 * second does not hide it. A message that reaches no queue comes back; a message that reaches one queue of two does not,
 * and only the gap in the other module's ledger tells.
 */

const LOAD = 20;
/** The gap's grace is 10 s; a loaded machine may take some more. */
const NOTICED_WITHIN_MS = 45_000;

let site: Site;
let operator: Connection;
const paid: OpenPayment[] = [];

beforeAll(async () => {
  site = await openSite();
  operator = new Connection({ url: site.rabbitMqUrl, tls: brokerTls(site.rabbitMqUrl) });
  await (await site.start()).ready;
});

afterAll(async () => {
  await operator?.close();
  await site?.close();
});

/** Pays `payments` while the bindings of `modules` are removed all the time. */
async function payWithout(modules: readonly ModuleName[], payments: readonly OpenPayment[], untilNoticed: () => Promise<unknown>): Promise<void> {
  const channel = await operator.acquire();
  let isOver = false;
  const removing = (async () => {
    while (!isOver) for (const module of modules) await channel.queueUnbind({ queue: MODULE_QUEUES[module], exchange: PAYNOTIFY_EXCHANGE, routingKey: '' });
  })();
  try {
    await site.shop.payAll(payments);
    await untilNoticed();
  } finally {
    isOver = true;
    await removing;
    await channel.close();
  }
}

async function reasonOf(worker: string): Promise<string> {
  const { workers } = (await (await fetch(`${site.app.url}/health/ready`)).json()) as { workers: Record<string, { reason?: string }> };
  return workers[worker]?.reason ?? '';
}

test('a missing binding of one module is noticed by its gap, and the messages are sent to its queue again', { timeout: 120_000 }, async () => {
  const payments = await site.shop.openPayments(LOAD);
  await payWithout(['learning'], payments, () => until('the confirms', NOTICED_WITHIN_MS, async () => ((await site.metric('paynotify_published_total')) >= LOAD ? true : null)));
  paid.push(...payments);

  const noticed = await until('the alarm', NOTICED_WITHIN_MS, async () => {
    const [reason, gaps] = [await reasonOf('reconciler'), await site.metric('paynotify_gap_events{module="learning"}')];
    return reason !== '' && gaps > 0 ? { reason, gaps } : null;
  });
  expect(noticed.reason).toContain(`learning lacks ${noticed.gaps} published events`);
  await site.assertWhole(paid);
  await until('the end of the alarm', NOTICED_WITHIN_MS, async () => ((await reasonOf('reconciler')) === '' ? true : null));
});

test('with both bindings missing every message comes back, the checkpoint stands, and all of it heals', { timeout: 120_000 }, async () => {
  const payments = await site.shop.openPayments(LOAD);
  const returned = 'paynotify_publish_failures_total{reason="returned"}';
  expect(await site.metric(returned)).toBe(0);
  await payWithout(['learning', 'orders'], payments, () =>
    until('a returned message', NOTICED_WITHIN_MS, async () => ((await site.metric(returned)) > 0 && (await reasonOf('projector')).startsWith('returned') ? true : null)),
  );
  paid.push(...payments);

  await site.assertWhole(paid);
  await until('a ready application', NOTICED_WITHIN_MS, async () => ((await fetch(`${site.app.url}/health/ready`)).ok ? true : null));
});
