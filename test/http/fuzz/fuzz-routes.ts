import { Agent } from 'node:http';
import { signNotification } from '../../../src/modules/payments/index.ts';
import { createRandom, type Random } from '../../harness/random.ts';
import type { Site } from '../../harness/site.ts';
import { makeHostile } from './hostile-request.ts';
import { createJudge } from './judge.ts';
import type { KnownThings } from './known-things.ts';
import { operationsOf, type OpenApiDocument, type Operation } from './operations.ts';
import { sendRequest, validRequest, type FuzzRequest } from './request.ts';

export interface FuzzReport {
  /** In words, with what it takes to see it again. */
  readonly failures: readonly string[];
  /** Operations of which no answer was a success. */
  readonly neverSucceeded: readonly string[];
  readonly statuses: Readonly<Record<number, number>>;
  readonly requests: number;
  readonly slowestMs: number;
}

/** One in three is valid: routes are to be seen to work between the blows. */
const VALID_SHARE = 1 / 3;
const CONNECTIONS = 6;
const CASES_MAX = 100_000;
const WEBHOOK = '/webhooks/{provider}/{account}';

/** @param cases requests to each route of the document. The same seed makes the same requests, but for the ids that a run finds. */
export async function fuzzRoutes(site: Site, things: KnownThings, cases: number, seed: number): Promise<FuzzReport> {
  const base = site.app.url;
  const document = (await (await fetch(`${base}/docs/json`)).json()) as OpenApiDocument;
  const operations = operationsOf(document);
  const judge = createJudge(document, operations);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const failures: string[] = [];
  const statuses: Record<number, number> = {};
  const succeeded = new Set<string>();
  let slowestMs = 0;
  let next = 0;
  const all = Array.from({ length: cases }, (_, index) => operations.map((operation, route) => ({ operation, random: createRandom(seed + route * CASES_MAX + index), name: `${operation.name} #${index}` }))).flat();

  async function work(): Promise<void> {
    for (let one = all[next++]; one !== undefined; one = all[next++]) {
      const request = requestFor(one.operation, one.random, site, things);
      const answer = await sendRequest(agent, base, request);
      const wrong = judge(request, answer);
      const status = answer?.status ?? 0;
      statuses[status] = (statuses[status] ?? 0) + 1;
      slowestMs = Math.max(slowestMs, answer?.ms ?? Infinity);
      if (status >= 200 && status < 300) succeeded.add(one.operation.name);
      if (wrong !== null) failures.push(`${wrong}\n  ${one.name} with ${request.what || 'nothing odd'} (PAYNOTIFY_TEST_SEED=${seed})\n  ${shown(request)}\n  ${answer?.body.slice(0, 400)}`);
    }
  }

  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  agent.destroy();
  return { failures, neverSucceeded: operations.map(({ name }) => name).filter((name) => !succeeded.has(name)), statuses, requests: all.length, slowestMs };
}

function requestFor(operation: Operation, random: Random, site: Site, things: KnownThings): FuzzRequest {
  const request = operation.path === WEBHOOK ? signedWebhook(random, site, things) : validRequest(operation, random, site.tokens, things.known);
  if (!random.chance(VALID_SHARE)) makeHostile(request, operation, random, site.tokens);
  return request;
}

/** The document does not say how a provider signs. */
function signedWebhook(random: Random, site: Site, { known }: KnownThings): FuzzRequest {
  const key = random.pick(site.signingKeys);
  const payNo = random.chance(0.7) ? random.pick(known('payNo', WEBHOOK)) : `unknown${random.below(1_000_000)}`;
  const facts = { payNo, amount: random.pick(['19900', '1']), currency: 'CNY', tradeNo: `trade-${payNo}`, paidAt: new Date(), notificationId: `msg_${random.below(1_000_000)}` };
  const { path, headers, body } = signNotification(key, { kind: 'succeeded', ...facts });
  return { what: '', method: 'POST', target: path, headers: { ...headers }, body: Buffer.from(body) };
}

function shown({ method, target, headers, body }: FuzzRequest): string {
  return `${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${body?.toString('utf8').slice(0, 300) ?? ''}`;
}
