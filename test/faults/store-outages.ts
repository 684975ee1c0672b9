import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { AppProcess } from '../harness/app-process.ts';
import { createRandom, seedOfRun, type Random } from '../harness/random.ts';
import { inParallel, type OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';
import { socketsTo } from '../harness/sockets.ts';
import { until } from '../harness/until.ts';

/*
 * The application under a steady load while its event store comes and goes. Certain: every payment is opened, paid and
 * looked at again and again until each is answered with success, by a shop and a provider that repeat what was put off.
 * Not certain: which call is where when a fault strikes; the seed repeats the faults only.
 */
export interface Outages {
  /** How the application is told of the store, given the store's own address. */
  readonly connectionString: (storeUrl: string) => string;
  /** One of these at a time, each with its end. */
  readonly faults: readonly ((site: Site, random: Random) => Promise<void>)[];
  readonly durationMs: number;
}

/** Of each kind that needs the store: a payment is opened, one is paid, one is looked at. */
const PER_SECOND = 20;
/** Ten seconds of it, more than any outage here puts off: a machine that cannot keep up is not given ever more to do. */
const PENDING_MAX = 10 * 3 * PER_SECOND;
/** Opened before, so that there is something to pay all the while that none can be opened. */
const RESERVE = 100;
/** Between two faults: long enough that most of them meet an application that had found back. */
const QUIET_MAX_MS = 3_000;
/** Half of what the answers ask for: repeating at once, whoever waits would soon be more load than the outage. */
const REPEATED_AFTER_MS = 1_000;
const CALL_TIMEOUT_MS = 15_000;
/** What is still open when the last fault has ended, on a busy machine. */
const SETTLED_WITHIN_MS = 60_000;
/** What is given up on is closed at once; what is still being looked for is, within a second. And a busy machine. */
const SOCKETS_GONE_WITHIN_MS = 20_000;
/** Done, or to be asked again. No answer within a provider's patience is a matter of the machine here, and of test/payments/store-away.test.ts. */
const FINE_ANSWER = / (?:200|201|503|0)$/;
/** A line of a stack trace, inside a line of JSON and outside of one. */
const STACK = /(?:\\n|^) {4}at /;
/** Without processor time the application may lose its database as well, which is not asked about here. */
const DATABASE_ERROR = /Prisma|DriverAdapter/;

/** A port where nobody listens and nothing but root could. */
export const withDeadNeighbour = (storeUrl: string): string => storeUrl.replace('?', ',127.0.0.1:1?');

export async function killed({ eventStore }: Site, random: Random): Promise<void> {
  await eventStore.kill();
  await delay(random.below(2_500));
  await eventStore.start();
}

export async function frozen({ eventStore }: Site, random: Random): Promise<void> {
  eventStore.freeze();
  await delay(300 + random.below(3_000));
  eventStore.thaw();
}

/** What a machine that has too much to do does to the application: nothing runs, and then every timer is late at once. */
export async function starved({ app }: Site, random: Random): Promise<void> {
  app.freeze();
  await delay(1_000 + random.below(1_500));
  app.thaw();
}

export async function surviveOutages({ connectionString, faults, durationMs }: Outages): Promise<void> {
  const random = createRandom(seedOfRun());
  const site = await openSite({ connectionString });
  const over = new AbortController();
  try {
    const app = await site.start();
    await app.ready;
    const port = Number(/:(\d+)\?/.exec(site.eventStore.url)?.[1]);
    const socketsBefore = await socketsTo(app.pid, port);
    const load = await startLoad(site, over.signal);
    for (const endsAt = performance.now() + durationMs; performance.now() < endsAt; ) {
      await delay(random.below(QUIET_MAX_MS));
      await random.pick(faults)(site, random);
    }
    const paid = await load.stop();
    console.log(`seed ${random.seed}: ${paid.length} payments, answers ${show(load.answers)}`);

    await site.assertWhole(paid);
    const socketsLeft = await untilGone(app, port, socketsBefore.length);
    const faultsOfOurs = [...load.answers.keys()].filter((answer) => !FINE_ANSWER.test(answer));
    const webhooksFailed = app.logged('webhook.failed').length;
    const stacks = countStacks(app.output());
    expect({ running: app.isRunning, faultsOfOurs, webhooksFailed, stacks, socketsLeft }).toEqual({ running: true, faultsOfOurs: [], webhooksFailed: 0, stacks: {}, socketsLeft: 0 });
  } finally {
    over.abort();
    await site.close();
  }
}

/** @returns how many lines with a stack trace were logged under each name of an event. */
function countStacks(output: string): Record<string, number> {
  const lines = output.split('\n').filter((line) => STACK.test(line) && !DATABASE_ERROR.test(line));
  const names = lines.map((line) => /"event":"([^"]+)"/.exec(line)?.[1] ?? 'no event');
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, lines]) => [name, lines.length]));
}

/** @returns how many sockets are more than they were when the time is over. */
async function untilGone({ pid }: AppProcess, port: number, before: number): Promise<number> {
  const gone = until('the end of connections that were given up', SOCKETS_GONE_WITHIN_MS, async () => ((await socketsTo(pid, port)).length <= before ? 0 : null));
  return gone.catch(async () => (await socketsTo(pid, port)).length - before);
}

interface Load {
  /** How often which kind of request was answered how; 0 is no answer. */
  readonly answers: ReadonlyMap<string, number>;
  /** Asks for nothing new, and resolves with all payments when the last is paid. */
  stop(): Promise<OpenPayment[]>;
}

/** Opened, paid and looked at independently of each other, so that an outage finds requests of every kind. */
async function startLoad(site: Site, over: AbortSignal): Promise<Load> {
  const answers = new Map<string, number>();
  const client = createClient(site, (answer) => answers.set(answer, (answers.get(answer) ?? 0) + 1), over);
  const opened = await inParallel(Array.from({ length: RESERVE }), () => client.open());
  const unpaid = [...opened];
  const asked: Promise<unknown>[] = [];
  let pending = 0;
  const ask = (request: Promise<unknown>): void => {
    pending++;
    asked.push(request.finally(() => pending--));
  };
  const timer = setInterval(() => {
    if (pending >= PENDING_MAX) return;
    const next = unpaid.shift();
    const known = opened[Math.floor(Math.random() * opened.length)] as OpenPayment;
    ask(client.look(known));
    ask(client.open().then((payment) => opened.push(payment) && unpaid.push(payment)));
    if (next !== undefined) ask(client.pay(next));
  }, 1_000 / PER_SECOND);
  over.addEventListener('abort', () => clearInterval(timer));
  return {
    answers,
    async stop() {
      clearInterval(timer);
      const settled = Promise.all(asked).then(() => inParallel(unpaid, (payment) => client.pay(payment)));
      if ((await Promise.race([settled, delay(SETTLED_WITHIN_MS, null, { ref: false })])) === null) throw new Error(`requests are still put off: ${show(answers)}`);
      return opened;
    },
  };
}

const show = (answers: ReadonlyMap<string, number>): string => JSON.stringify(Object.fromEntries(answers));

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The shop and the provider; each repeats a request until it is answered with success, and tells every answer. */
function createClient({ app, shop, tokens, signingKeys }: Site, tell: (answer: string) => void, over: AbortSignal) {
  const account = signingKeys.find(({ provider }) => provider === 'standard')?.account ?? '';
  const items = [{ goodsId: 'goods', goodsType: '320301', goodsName: 'Notes', price: '1900' }];
  let serial = 0;
  const call = async (method: string, path: string, body?: object): Promise<Answer> => {
    const headers = { authorization: `Bearer ${tokens.service}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(app.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }), signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    return { status: response.status, body: await response.json() };
  };
  const repeat = async (kind: string, ask: () => Promise<Answer>): Promise<unknown> => {
    while (!over.aborted) {
      const { status, body } = await ask().catch(() => ({ status: 0, body: null }));
      tell(`${kind} ${status}`);
      if (status === 200 || status === 201) return body;
      await delay(REPEATED_AFTER_MS);
    }
    // Nobody waits for it any more.
    return new Promise(() => undefined);
  };
  return {
    async open(): Promise<OpenPayment> {
      const outBusinessId = `outage-${++serial}`;
      const facts = { outBusinessId, orderType: '60202', userId: 'user' } as const;
      const { orderId } = (await repeat('order', () => call('POST', '/orders', { ...facts, items }))) as { orderId: string };
      const open = () => call('POST', `/orders/${orderId}/payments`, { provider: 'standard', account });
      const { payNo, amount, currency } = (await repeat('payment', open)) as Pick<OpenPayment, 'payNo' | 'amount' | 'currency'>;
      return { ...facts, payNo, amount, currency, orderId, courseId: '', provider: 'standard', account };
    },
    pay: (payment: OpenPayment): Promise<unknown> => repeat('webhook', async () => ({ status: await shop.pay(payment), body: null })),
    look: ({ payNo }: OpenPayment): Promise<unknown> => repeat('look', () => call('GET', `/payments/${payNo}`)),
  };
}
