import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { WEBHOOK_BODY_BYTES_MAX } from '../../src/modules/payments/webhook-admission.ts';
import { until } from '../harness/until.ts';
import { startPayments, successOf, type PaymentsRig } from './payments-rig.ts';
import { head, openRaw } from './raw-http.ts';

/**
 * Whatever is refused is counted once and told once. Certain: the counts and the lines. Not certain: that a client that was
 * cut off reads the answer.
 */
let server: EventStoreServer;
let rig: PaymentsRig;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
});
afterAll(() => server.close());
const start = async (): Promise<void> => void (rig = await startPayments(`esdb://127.0.0.1:${server.port}?tls=false`));

const WITHIN_MS = 15_000;

async function refusedBy(reason: string): Promise<Record<string, number>> {
  const { values } = await rig.metrics.webhookRefused.get();
  const counted = values.filter(({ labels }) => (labels as { reason: string }).reason === reason);
  return Object.fromEntries(counted.map(({ labels, value }) => [`${(labels as { provider: string }).provider}/${(labels as { account: string }).account}`, value]));
}
const bodyBytes = async (): Promise<number> => (await rig.metrics.webhookBodyBytes.get()).values[0]?.value ?? 0;
const refusalLines = (reason: string) => rig.lines.filter((line) => line.event === 'webhook.refused' && line.reason === reason);

const DEMO = '/webhooks/standard/demo';
type Row = readonly [what: string, text: string, status: number, reason: string, whose: string];
const TABLE: readonly Row[] = [
  ['nothing is there', head('POST', '/webhooks/stripe', 'content-length: 0', 'connection: close'), 404, 'route-unknown', 'unknown/unknown'],
  ['below an account', head('POST', `${DEMO}/more`, 'content-length: 0', 'connection: close'), 404, 'route-unknown', 'unknown/unknown'],
  ['a body that is no JSON, below nothing', `${head('POST', '/webhooks/stripe', 'content-type: application/json', 'content-length: 1', 'connection: close')}{`, 400, 'json-invalid', 'unknown/unknown'],
  ['an unknown account', head('POST', '/webhooks/paypal/demo', 'content-length: 0', 'connection: close'), 401, 'unknown-account', 'unknown/unknown'],
  ['another method', head('GET', DEMO, 'connection: close'), 405, 'method-not-allowed', 'standard/demo'],
  ['a malformed escape', head('POST', '/webhooks/%zz/demo', 'content-length: 0', 'connection: close'), 400, 'url-invalid', 'unknown/unknown'],
  ['a NUL', head('POST', '/webhooks/standard/demo?x=%00', 'content-length: 0', 'connection: close'), 400, 'url-invalid', 'standard/demo'],
  ['a path part that is too long', head('POST', `/webhooks/standard/${'a'.repeat(200)}`, 'content-length: 0', 'connection: close'), 414, 'url-too-long', 'unknown/unknown'],
  ['no signature', head('POST', DEMO, 'content-length: 0', 'connection: close'), 401, 'headers-missing', 'standard/demo'],
  ['an expectation that nobody knows', head('POST', DEMO, 'expect: 200-ok', 'content-length: 0', 'connection: close'), 401, 'headers-missing', 'standard/demo'],
  ['a body that says to be too large', head('POST', DEMO, `content-length: ${WEBHOOK_BODY_BYTES_MAX + 1}`), 413, 'body-too-large', 'standard/demo'],
  ['headers that are too large', head('POST', DEMO, `x: ${'y'.repeat(20_000)}`), 431, 'headers-too-large', 'standard/demo'],
  ['what is not HTTP', 'POST /webhooks/standard/demo HTTP/1.1\r\nno header\r\n\r\n', 400, 'http-malformed', 'standard/demo'],
  ['what is nothing', 'GARBAGE\r\n\r\n', 400, 'http-malformed', 'unknown/unknown'],
  ['headers that never end', 'POST /webhooks/standard/demo HTTP/1.1\r\nhost: x\r\n', 408, 'request-too-slow', 'unknown/unknown'],
  ['a body that never ends', `${head('POST', DEMO, 'content-length: 9')}abc`, 503, 'request-too-slow', 'standard/demo'],
];

describe('a refused webhook', () => {
  it.each(TABLE)('is counted with its reason and told once: %s', async (_what, text, status, reason, whose) => {
    await start();
    for (let times = 1; times <= 2; times++) {
      expect(await (await openRaw(rig.origin, text)).closed).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(await refusedBy(reason)).toEqual({ [whose]: times });
    }
    const [line, ...more] = refusalLines(reason);
    expect(more).toEqual([]);
    expect(line).toMatchObject({ provider: whose.split('/')[0], account: whose.split('/')[1], reason });
    expect(rig.lines.filter(({ err }) => err !== undefined)).toEqual([]);
    await until('the end of all reading', WITHIN_MS, async () => ((await bodyBytes()) === 0 ? true : null));
  });

  it('with a body in chunks is cut off at the first byte too many', async () => {
    await start();
    const { socket, closed } = await openRaw(rig.origin, head('POST', DEMO, 'transfer-encoding: chunked'));
    expect(await until('room for the largest', WITHIN_MS, async () => ((await bodyBytes()) > 0 ? bodyBytes() : null))).toBe(WEBHOOK_BODY_BYTES_MAX);
    const size = WEBHOOK_BODY_BYTES_MAX + 1;
    socket.write(`${size.toString(16)}\r\n`);
    socket.write(Buffer.alloc(size, 'x'));
    await closed;
    expect(await refusedBy('body-too-large')).toEqual({ 'standard/demo': 1 });
    await until('the room back', WITHIN_MS, async () => ((await bodyBytes()) === 0 ? true : null));
  });

  it('whose connection was reset within its body is counted, and no server of ours is blamed for it', async () => {
    await start();
    const COUNT = 100;
    const lost = await Promise.all(Array.from({ length: COUNT }, () => openRaw(rig.origin, `${head('POST', DEMO, 'content-length: 9')}abc`)));
    await until('all of them to be read', WITHIN_MS, async () => ((await bodyBytes()) === 9 * COUNT ? true : null));
    for (const { socket } of lost) socket.resetAndDestroy();
    await until('all of them to be counted', WITHIN_MS, async () => ((await refusedBy('connection-lost'))['standard/demo'] === COUNT ? true : null));
    expect(rig.lines.map(({ event, reason, err }) => [event, reason, err])).toEqual([['webhook.refused', 'connection-lost', undefined]]);
    expect(await bodyBytes()).toBe(0);
  });

  it('of an unknown account is answered before its body comes, and what comes of it is no next request', async () => {
    await start();
    const short = await openRaw(rig.origin, head('POST', '/webhooks/a/b', 'content-length: 9'));
    await until('the answer', WITHIN_MS, () => (short.answer().includes('webhook-refused') ? true : null));
    // The connection stays, and goes on behind the body.
    short.socket.write(`123456789${head('GET', DEMO, 'connection: close')}`);
    expect(await short.closed).toMatch(/ 401 .* 405 /s);
    const long = await openRaw(rig.origin, head('POST', '/webhooks/a/b', `content-length: ${WEBHOOK_BODY_BYTES_MAX}`));
    expect(await long.closed).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('that is genuine and to be told again is counted, too', async () => {
    await start();
    expect((await rig.send(successOf(rig.keys.stripe, 'nobody'))).status).toBe(503);
    expect(await refusedBy('unknown-payment')).toEqual({ 'stripe/demo': 1 });
  });
});

describe('a slash too many', () => {
  it.each(['/webhooks/stripe/demo/', '//webhooks/stripe/demo', '/webhooks//stripe/demo', '/webhooks/stripe//demo//', '//webhooks//stripe//demo/?from=//shop/', '/webhooks/stripe/demo?x=1'])('is forgiven: %s', async (path) => {
    await start();
    const payNo = await rig.open('stripe');
    expect((await rig.send({ ...successOf(rig.keys.stripe, payNo), path })).status).toBe(200);
    expect(rig.lines.filter(({ event }) => event === 'webhook.refused')).toEqual([]);
  });

  it('is none on another path', async () => {
    await start();
    for (const path of ['/payments/p1/', '//payments/p1', '/webhooksx/stripe/demo/']) expect((await fetch(rig.origin + path)).status, path).toBe(404);
    expect(await refusedBy('route-unknown')).toEqual({});
  });
});
