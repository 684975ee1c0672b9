/**
 * One payment the whole way, as a newcomer would send it: publish a course, select it, order it, request the payment,
 * receive the provider's signed webhook twice, and watch every module learn of it once.
 *
 *     npm run demo        (beside a running `npm start`, with the same HOST, PORT and PAYNOTIFY_DATA)
 */
import { setTimeout as wait } from 'node:timers/promises';
import { readConfig } from '../src/config.ts';
import { signSuccess } from '../src/modules/payments/index.ts';
import { openableUrl } from '../src/platform/http/addresses.ts';
import { readInstallation } from './installation.ts';

const config = readConfig(process.env);
const base = openableUrl(config.http.host, config.http.port);
const WAIT_MAX_MS = 60_000;
const POLL_MS = 25;

interface Trail {
  readonly state: string;
  readonly verdict: string;
  readonly events: readonly {
    readonly type: string;
    readonly eventId: string;
    readonly position: string | null;
    readonly recordedAt: string;
    readonly checkpoint: string;
    readonly modules: Readonly<Record<string, { readonly state: string; readonly afterMs?: number }>>;
  }[];
}

async function call<T>(token: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function waitUntilReady(): Promise<void> {
  const endsAt = Date.now() + WAIT_MAX_MS;
  for (;;) {
    const ready = await fetch(`${base}/health/ready`).catch(() => null);
    if (ready?.ok === true) return;
    if (Date.now() > endsAt) throw new Error(`paynotify is not ready at ${base}. Start it with "npm start" first; ${base}/health/ready says what is missing.`);
    await wait(1000);
  }
}

/** Follows the trail until every module is done, noting when publishing was first seen to be proven. */
async function follow(token: string, payNo: string): Promise<{ trail: Trail; confirmedAt: Date | null }> {
  const endsAt = Date.now() + WAIT_MAX_MS;
  let confirmedAt: Date | null = null;
  for (;;) {
    const trail = await call<Trail>(token, 'GET', `/admin/payments/${payNo}`);
    const succeeded = trail.events.find((event) => event.type === 'PaymentSucceeded');
    if (succeeded?.checkpoint === 'passed') confirmedAt ??= new Date();
    if (confirmedAt !== null && trail.state === 'complete') return { trail, confirmedAt };
    if (Date.now() > endsAt) throw new Error(`payment ${payNo} did not arrive everywhere within ${WAIT_MAX_MS / 1000} s: ${trail.verdict}`);
    await wait(POLL_MS);
  }
}

function say(step: string, text: string): void {
  console.log(`${step.padEnd(22)}${text}`);
}

function printTrail({ events }: Trail, confirmedAt: Date | null): void {
  for (const event of events) {
    say('  event stored', `${event.type} ${event.eventId} at ${event.recordedAt}`);
    if (event.type !== 'PaymentSucceeded') continue;
    say('  broker confirmed', `seen ${(confirmedAt?.getTime() ?? 0) - Date.parse(event.recordedAt)} ms after the event (checkpoint passed it)`);
    for (const [module, step] of Object.entries(event.modules)) say(`  ${module}`, `${step.state} ${step.afterMs} ms after the event`);
  }
}

async function main(): Promise<void> {
  await waitUntilReady();
  const { serviceToken: service, adminToken: admin, signingKeys } = await readInstallation(config.dataDirectory);
  const key = signingKeys.find((candidate) => candidate.provider === 'standard');
  if (key === undefined) throw new Error('there is no demo account of the Standard Webhooks provider');

  const userId = `user-${Date.now()}`;
  await call(service, 'PUT', '/learning/courses/event-sourcing-101', { name: 'Event sourcing 101', companyId: 'demo-school', charge: '201001', price: '19900', validDays: 365 });
  say('course published', 'event-sourcing-101, 199.00 CNY, 365 days');
  const selection = await call<{ selectionId: string; status: string }>(service, 'POST', '/learning/selections', { userId, courseId: 'event-sourcing-101' });
  say('course selected', `${userId} → selection ${selection.selectionId}, state ${selection.status}`);
  const order = await call<{ orderId: string; status: string; amount: string }>(service, 'POST', '/orders', { outBusinessId: selection.selectionId, orderType: '60201', userId });
  say('order placed', `${order.orderId}, state ${order.status}, ${order.amount} fen`);
  const payment = await call<{ payNo: string; amount: string; currency: string }>(service, 'POST', `/orders/${order.orderId}/payments`, { provider: key.provider, account: key.account });
  say('payment requested', `payNo ${payment.payNo}`);

  const facts = { ...payment, tradeNo: `demo-${payment.payNo}`, paidAt: new Date(), notificationId: `msg_${payment.payNo}` };
  for (const attempt of ['first', 'duplicate']) {
    const { path, headers, body } = signSuccess(key, facts);
    const startedAt = performance.now();
    const response = await fetch(base + path, { method: 'POST', headers, body });
    say(`webhook, ${attempt}`, `answered ${response.status} in ${Math.round(performance.now() - startedAt)} ms`);
    if (!response.ok) throw new Error(`the webhook was refused: ${await response.text()}`);
  }

  const { trail, confirmedAt } = await follow(admin, payment.payNo);
  console.log(`\nThe trail of payment ${payment.payNo}: ${trail.verdict}`);
  printTrail(trail, confirmedAt);
  const successes = trail.events.filter((event) => event.type === 'PaymentSucceeded').length;
  if (successes !== 1) throw new Error(`the payment has ${successes} success events instead of one`);
  const paid = await call<{ status: string }>(service, 'GET', `/orders/${order.orderId}`);
  const right = await call<{ right: string }>(service, 'GET', `/learning/users/${userId}/courses/event-sourcing-101/right`);
  say('\norder', `state ${paid.status} (600002 = paid)`);
  say('learning right', `${right.right} (702001 = may learn)`);
  if (paid.status !== '600002' || right.right !== '702001') throw new Error('the payment did not have its effect');
}

main().catch((error: unknown) => {
  console.error(`demo: ${(error as Error).message}`);
  process.exitCode = 1;
});
