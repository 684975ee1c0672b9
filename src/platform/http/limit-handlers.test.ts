import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';
import { buildServer, type Server } from './build-server.ts';
import { HANDLER_DEADLINE_MS } from './limit-handlers.ts';

/** Over a socket: `inject` gives a request whose body was never read from one. */
const DEADLINE_MS = 100;

interface Rig {
  readonly url: string;
  readonly metrics: Metrics;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

async function serve(routes: (server: Server) => void, deadlineMs?: number): Promise<Rig> {
  const lines: Record<string, unknown>[] = [];
  const write = (line: Record<string, unknown>): void => void lines.push(line);
  const metrics = createMetrics();
  const server = buildServer({ log: { ...silentLogger, warn: write, error: write } as never, metrics, version: '0.0.0', ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  server.register(async (scope) => routes(scope as Server));
  await server.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  return { url: `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`, metrics, lines };
}

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' } as const;
const TIMED_OUT = { type: 'urn:paynotify:problem:timed-out', status: 503 };
const valueOf = async (metric: { get(): Promise<{ readonly values: readonly { readonly value: number }[] }> }): Promise<number> => (await metric.get()).values[0]?.value ?? 0;

it.each(['GET', 'POST'])('a handler that takes too long is answered 503 in time, and its signal is aborted: %s', async (method) => {
  const ended = Promise.withResolvers<unknown>();
  const rig = await serve((server) => server.route({ method, url: '/slow', config: { takesUnknown: true }, handler: (request) => new Promise((resolve) => request.deadline.addEventListener('abort', () => {
    ended.resolve(request.deadline.reason);
    resolve({ late: true });
  })) }), DEADLINE_MS);
  const answer = await fetch(`${rig.url}/slow`, method === 'POST' ? JSON_POST : {});
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('retry-after'), await answer.json()]).toEqual([503, 'application/problem+json', '2', expect.objectContaining(TIMED_OUT)]);
  expect(await ended.promise).toMatchObject({ code: 'timed-out' });
  expect((await rig.metrics.httpTimeouts.get()).values).toEqual([{ labels: { route: '/slow' }, value: 1 }]);
});

it('a handler that ignores its signal is counted until it ends, and reaches nobody by what it answers or throws then', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let entered = 0;
  const rig = await serve((server) => {
    server.post('/deaf', { config: { takesUnknown: true } }, async (_request, reply) => {
      const mine = gates[entered++];
      await mine?.promise;
      return reply.code(200).header('x-late', '1').send({ late: true });
    });
    server.get('/other', async () => ({ fine: true }));
  }, DEADLINE_MS);
  const answers = await Promise.all([fetch(`${rig.url}/deaf`, JSON_POST), fetch(`${rig.url}/deaf`, JSON_POST)]);
  for (const answer of answers) expect([answer.status, answer.headers.get('x-late'), await answer.json()]).toEqual([503, null, expect.objectContaining(TIMED_OUT)]);
  expect([await valueOf(rig.metrics.httpTimeouts), await valueOf(rig.metrics.httpOverdue)]).toEqual([2, 2]);
  gates[0]?.reject(new Error('too late to be of use'));
  gates[1]?.resolve();
  // What was answered on the same connection afterwards is what was asked for.
  for (let n = 0; n < 3; n++) expect(await (await fetch(`${rig.url}/other`)).json()).toEqual({ fine: true });
  expect(await valueOf(rig.metrics.httpOverdue)).toBe(0);
  expect(rig.lines.filter(({ event }) => event === 'request.ended-late')).toMatchObject([{ route: '/deaf', err: new Error('too late to be of use') }]);
  expect(unhandled).toEqual([]);
});

it('a route may have a time of its own', async () => {
  const handler = (request: { readonly deadline: AbortSignal }) => new Promise((resolve) => request.deadline.addEventListener('abort', () => resolve(null)));
  const rig = await serve((server) => server.post('/short', { config: { deadlineMs: DEADLINE_MS, takesUnknown: true } }, handler));
  const startedAt = performance.now();
  expect((await fetch(`${rig.url}/short`, JSON_POST)).status).toBe(503);
  expect(performance.now() - startedAt).toBeLessThan(HANDLER_DEADLINE_MS);
});
