import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { signStripeBody } from '../../src/modules/payments/providers/sign-stripe.ts';
import { signStandardMessage } from '../../src/modules/payments/providers/sign-standard.ts';
import { WEBHOOK_BODY_BYTES_MAX, WEBHOOK_BUDGET } from '../../src/modules/payments/webhook-admission.ts';
import { BODY_TIMEOUT_MS } from '../../src/platform/http/limit-bodies.ts';
import { until } from '../harness/until.ts';
import { startPayments, successOf, type PaymentsRig } from './payments-rig.ts';
import { head, openRaw, type RawConnection } from './raw-http.ts';

/**
 * Bodies of up to 1 MiB, and the bound of all that are held at once. Certain: never more room than the budget, one large
 * body too many is refused before it is read, ordinary webhooks are taken meanwhile, and slow bodies give their room back.
 */
let server: EventStoreServer;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
});
afterAll(() => server.close());
const start = (): Promise<PaymentsRig> => startPayments(`esdb://127.0.0.1:${server.port}?tls=false`);

const WITHIN_MS = 20_000;
const MIB = 1024 * 1024;
const BUDGET_BYTES = Math.max(...WEBHOOK_BUDGET.map(({ reservedBytesMax }) => reservedBytesMax));
const LARGE_BODIES_MAX = (WEBHOOK_BUDGET.at(-1)?.reservedBytesMax ?? 0) / WEBHOOK_BODY_BYTES_MAX;
/** All together have three hundred megabytes. */
const TOO_MANY = 300 - LARGE_BODIES_MAX;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

describe('a large webhook', () => {
  it.each([74_000, 300_000, WEBHOOK_BODY_BYTES_MAX])('of %i bytes is accepted, with a length and in chunks', async (bytes) => {
    const rig = await start();
    for (const isChunked of [false, true]) {
      const payNo = await rig.open('stripe');
      const event = JSON.parse(successOf(rig.keys.stripe, payNo).body) as { data: { object: object } };
      const { length } = JSON.stringify({ ...event, note: '' });
      const body = JSON.stringify({ ...event, note: 'x'.repeat(bytes - length) });
      const headers = signStripeBody(rig.keys.stripe.secret, body, nowSeconds());
      const answer = await fetch(`${rig.origin}/webhooks/stripe/demo`, { method: 'POST', headers, ...(isChunked ? { body: new Blob([body]).stream(), duplex: 'half' } : { body }) });
      expect([answer.status, await answer.json()]).toEqual([200, { outcome: 'stored' }]);
      expect(body).toHaveLength(bytes);
    }
  });
});

describe('many large webhooks that come slowly', () => {
  it('never hold more than the budget, let ordinary ones through, and end in time', async () => {
    const rig = await start();
    const bodyBytes = async (): Promise<number> => (await rig.metrics.webhookBodyBytes.get()).values[0]?.value ?? 0;
    const before = process.memoryUsage().arrayBuffers;
    // All but the last byte of each.
    const slow = await openSlow(rig, LARGE_BODIES_MAX + TOO_MANY);
    await until('all of the share', WITHIN_MS, async () => ((await bodyBytes()) === LARGE_BODIES_MAX * MIB ? true : null));
    const refused = await until('the refusals', WITHIN_MS, () => atLeast(TOO_MANY, slow.filter(({ answer }) => answer() !== '')));
    for (const { answer } of refused) expect(answer()).toMatch(/^HTTP\/1\.1 503 .*retry-after: 5\r\n/s);
    expect(refused).toHaveLength(TOO_MANY);

    const payNo = await rig.open('standard');
    expect((await rig.send(successOf(rig.keys.standard, payNo))).status).toBe(200);
    // Buffers that were outgrown are there until they are swept; without a bound it would be the size of all bodies at least.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2.5 * BUDGET_BYTES);

    const startedAt = performance.now();
    await Promise.all(slow.map(({ closed }) => closed));
    expect(performance.now() - startedAt).toBeLessThan(BODY_TIMEOUT_MS + 2_000);
    await until('the room back', WITHIN_MS, async () => ((await bodyBytes()) === 0 ? true : null));
    const { values } = await rig.metrics.webhookRefused.get();
    expect(Object.fromEntries(values.map(({ labels, value }) => [(labels as { reason: string }).reason, value]))).toEqual({ 'too-many-bodies': TOO_MANY, 'request-too-slow': LARGE_BODIES_MAX });
    expect(rig.lines.filter(({ event }) => event === 'webhook.refused')).toHaveLength(2);
  });

  it('leave room for a large one as soon as one of them is gone', async () => {
    const rig = await start();
    const slow = await openSlow(rig, LARGE_BODIES_MAX);
    await until('all of the share', WITHIN_MS, async () => ((await rig.metrics.webhookBodyBytes.get()).values[0]?.value === LARGE_BODIES_MAX * MIB ? true : null));
    const body = JSON.stringify({ type: 'invoice.paid', data: { note: 'x'.repeat(500_000) } });
    const send = () => rig.send({ path: '/webhooks/standard/demo', headers: signStandardMessage(rig.keys.standard.secret, { id: 'msg_1', timestampSeconds: nowSeconds(), body }), body });
    expect((await send()).status).toBe(503);
    slow[0]?.socket.resetAndDestroy();
    await until('room', WITHIN_MS, async () => ((await send()).status === 200 ? true : null));
  });
});

function openSlow(rig: PaymentsRig, count: number): Promise<RawConnection[]> {
  const part = Buffer.alloc(WEBHOOK_BODY_BYTES_MAX - 1, 'x');
  return Promise.all(
    Array.from({ length: count }, async () => {
      const connection = await openRaw(rig.origin, head('POST', '/webhooks/stripe/demo', `content-length: ${WEBHOOK_BODY_BYTES_MAX}`));
      connection.socket.write(part);
      return connection;
    }),
  );
}

function atLeast<T>(count: number, found: readonly T[]): readonly T[] | null {
  return found.length >= count ? found : null;
}
