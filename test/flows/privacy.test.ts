import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CENSOR } from '../../src/platform/observe/redact.ts';
import { createInstallation, type AppProcess, type Installation } from '../harness/app-process.ts';
import { startEventStoreProcess, type EventStoreProcess } from '../harness/event-store-process.ts';
import { createTestDatabase, createTestVhost, type TestDatabase, type TestVhost } from '../harness/services.ts';
import { createShop, type OpenPayment, type Shop } from '../harness/shop.ts';
import { sendEverything } from './privacy-everything.ts';
import { eventsOf, listen, rowsOf, type Listener } from './privacy-haystacks.ts';
import { createMarkers, holds } from './privacy-markers.ts';
import type { Wire } from './privacy-provider.ts';

/**
 * Providers tell a lot about a buyer, and callers show secrets. Each personal value is sent as a marker of its own, along
 * every path there is, at the most talkative log level; then all that was written down or said is searched for them.
 * Certain: what is searched. Not certain: paths that this test does not know of.
 */
/** About 10 s of work, and the first start of a broker on a machine that has other things to do. */
const SETUP_LIMIT_MS = 180_000;
const EVENT_STORE_PASSWORD = 'password-of-the-event-store';

const markers = createMarkers();
const wire: Wire = { markers, origin: () => app.url, signatures: new Set(), answers: [] };
let eventStore: EventStoreProcess;
let eventStoreUrl: string;
let database: TestDatabase;
let vhost: TestVhost;
let installation: Installation;
let app: AppProcess;
let shop: Shop;
let listener: Listener;
/** Text by where it was found. */
let haystacks: Readonly<Record<string, string>>;
let tables: readonly string[];
/** A payment of each provider that took the whole way. */
const paid: OpenPayment[] = [];

beforeAll(async () => {
  [eventStore, database, vhost] = await Promise.all([startEventStoreProcess(), createTestDatabase(), createTestVhost()]);
  eventStoreUrl = eventStore.url.replace('//', `//admin:${EVENT_STORE_PASSWORD}@`);
  installation = await createInstallation({ eventStoreUrl, databaseUrl: database.url, rabbitMqUrl: vhost.url });
  app = await installation.start({ environment: { LOG_LEVEL: 'trace', PAYNOTIFY_ATTEMPTS: '2', PAYNOTIFY_RETRY_DELAY_MS: '50' } });
  await app.ready;
  listener = await listen(vhost.url);
  shop = createShop(() => app.url, installation.tokens, installation.signingKeys);
  await sendEverything({ installation, eventStore, database, shop, wire, listener, paid });
  const rows = await rowsOf(database.url);
  tables = rows.tables;
  haystacks = {
    'messages': listener.heard(),
    'tables': rows.text,
    'answers to operators': await operatorsView(),
    'metrics': await textOf('/metrics', installation.tokens.admin),
    'API document': await textOf('/docs/json'),
    'answers to senders': wire.answers.join('\n'),
    'events': await eventsOf(eventStoreUrl),
    'log': app.output(),
  };
}, SETUP_LIMIT_MS);

afterAll(async () => {
  await listener?.close();
  await installation?.close();
  await Promise.all([eventStore?.close(), database?.drop(), vhost?.delete()]);
});

async function operatorsView(): Promise<string> {
  const paths = ['lag', 'parked', 'parked?state=redriven', 'replays', 'actions', 'work-items', 'work-items?state=settled', 'notifications?limit=500', 'callbacks?limit=500', ...paid.map(({ payNo }) => `payments/${payNo}`)];
  const answers = paths.map((path) => textOf(`/admin/${path}`, installation.tokens.admin));
  const shops = paid.flatMap(({ payNo, orderId }) => [`/payments/${payNo}`, `/orders/${orderId}`]).map((path) => textOf(path, installation.tokens.service));
  return (await Promise.all([...answers, ...shops, textOf('/health/ready', installation.tokens.admin), textOf('/health/live')])).join('\n');
}

async function textOf(path: string, token?: string): Promise<string> {
  const answer = await fetch(app.url + path, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}`);
  return answer.text();
}

const PLACES = ['log', 'events', 'messages', 'tables', 'answers to operators', 'answers to senders', 'metrics', 'API document'] as const;

describe('a search that would find something', () => {
  test.each(['log', 'events', 'messages', 'tables', 'answers to operators'] as const)('finds every paid payment and its trade in: %s', (place) => {
    for (const { payNo, provider } of paid) {
      expect(haystacks[place], `${provider} ${place}`).toContain(payNo);
      // The log names a notification, the others the trade.
      expect(haystacks[place], `${provider} ${place}`).toContain(place === 'log' ? `${provider}-success-${payNo}` : `trade-${payNo}`);
    }
  });

  test('finds what is kept as bytes, and looks at every table', () => {
    expect(holds(/^public\.parked_messages .*$/m.exec(haystacks['tables'] ?? '')?.[0] ?? '', 'payresult_notify')).toBe(true);
    // Rows are in one only after an adoption of another event store, and in the other only while a message is on the verge of killing the process.
    expect(tables.filter((name) => !(haystacks['tables'] ?? '').includes(`${name} {`)).sort()).toEqual(['public.event_store_generations', 'public.started_executions']);
    expect(tables.length).toBeGreaterThanOrEqual(13);
  });

  test('has every kind of event before it, and lines of every level below an error', () => {
    for (const type of ['PaymentRequested', 'PaymentSucceeded', 'PaymentAttemptFailed', 'PaymentClosed', 'PaymentRefunded', 'PaymentNotificationRejected', 'PaymentNotificationUnmatched', 'PaymentNotificationResolved', 'TradeBound']) {
      expect(haystacks['events']).toContain(`"${type}"`);
    }
    for (const word of ['request.answered', 'webhook.received', 'webhook.refused', 'webhook.malformed', 'webhook.unavailable', 'message.parked', 'message.redriven']) {
      expect(haystacks['log']).toContain(`"event":"${word}"`);
    }
    for (const outcome of ['refused', 'malformed', 'not-handled', 'stored', 'duplicate', 'rejected', 'unknown-payment', 'kept', 'unavailable']) expect(haystacks['metrics']).toContain(`outcome="${outcome}"`);
    expect(haystacks['API document']).toContain('/webhooks/{provider}/{account}');
  });

  test('finds a marker as it is, in hex, in Base64 at any offset and in a URL, and says which it was', () => {
    const marker = markers.make('planted');
    expect(markers.foundIn(`x${marker}y`)).toEqual(['planted']);
    expect(markers.foundIn(encodeURIComponent(`张三=${marker}`))).toEqual(['planted']);
    for (const before of ['', '1', '12']) {
      expect(markers.foundIn(Buffer.from(`${before}${marker}`).toString('base64'))).toHaveLength(1);
      expect(markers.foundIn(Buffer.from(`${before}${marker}`).toString('base64url'))).toHaveLength(1);
      expect(markers.foundIn(Buffer.from(`${before}${marker}`).toString('hex'))).toHaveLength(1);
    }
  });
});

describe.each(PLACES)('in the %s', (place) => {
  test('there is nothing of what a provider or a caller told about a person', () => {
    expect(markers.foundIn(haystacks[place] ?? '')).toEqual([]);
  });

  test('there is no secret', () => {
    const found = Object.entries(secrets()).filter(([, secret]) => holds(haystacks[place] ?? '', secret)).map(([name]) => name);
    expect(found).toEqual([]);
  });
});

test('nothing slipped into the log that the second line of defence had to take out', () => {
  expect(haystacks['log']).not.toContain(CENSOR);
});

/** Each by its name. Of a key in PEM the middle, which is the key's own. */
function secrets(): Record<string, string> {
  const { service, admin } = installation.tokens;
  const named: Record<string, string> = {
    'service token': service, 'admin token': admin,
    'password of the database': new URL(database.url).password, 'password of the broker': new URL(vhost.url).password, 'password of the event store': EVENT_STORE_PASSWORD,
  };
  for (const key of installation.signingKeys) {
    if ('secret' in key) named[`${key.provider} secret`] = key.secret.slice('whsec_'.length);
    if ('privateKey' in key) named[`${key.provider} private key`] = key.privateKey.split('\n')[10] ?? '';
    if ('apiV3Key' in key) named[`${key.provider} APIv3 key`] = key.apiV3Key;
  }
  for (const [name, secret] of Object.entries(named)) if (secret.length < 15) throw new Error(`${name} is too short to be searched for`);
  [...wire.signatures].forEach((signature, index) => (named[`signature ${index}`] = signature.slice(0, 32)));
  return named;
}
