import { expect, test } from 'vitest';
import { createAuthentication } from '../../src/platform/http/authenticate.ts';
import { buildServer } from '../../src/platform/http/build-server.ts';
import { createTokenCheck, hashToken } from '../../src/platform/http/token-check.ts';
import type { Health } from '../../src/platform/observe/health.ts';
import { healthRoutes } from '../../src/platform/http/health-routes.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import type { WorkerHealth } from '../../src/platform/process/worker.ts';

const OK: WorkerHealth = { status: 'ok' };
const ALL_OK: Health['dependencies'] = { eventStore: OK, database: OK, broker: OK };

function server(dependencies: Health['dependencies'], workers: Record<string, WorkerHealth>) {
  const metrics = createMetrics();
  const app = buildServer({ log: silentLogger, metrics, version: '0.0.0' });
  const check = createTokenCheck({ admin: new Map([['alice', hashToken('admin-token')]]), service: new Map([['shop', hashToken('service-token')]]) });
  const requireToken = createAuthentication(check, metrics).requireToken('any');
  app.register(healthRoutes({ metrics, checkDependencies: async () => dependencies, workers: () => workers, requireToken }));
  return app;
}

test('live answers whatever is missing', async () => {
  const answer = await server({ eventStore: { status: 'degraded' }, database: { status: 'degraded' }, broker: { status: 'degraded' } }, {}).inject({ url: '/health/live' });
  expect([answer.statusCode, answer.json()]).toEqual([200, { live: true }]);
});

test('ready when every dependency and worker is ok', async () => {
  const answer = await server(ALL_OK, { projector: OK }).inject({ url: '/health/ready' });
  expect([answer.statusCode, answer.json()]).toEqual([200, { ready: true, acceptsWebhooks: true, dependencies: ALL_OK, workers: { projector: OK } }]);
});

test.each([
  ['the broker still starts', { ...ALL_OK, broker: { status: 'starting' as const } }, { projector: OK }, true],
  ['the database is away', { ...ALL_OK, database: { status: 'degraded' as const, reason: 'refused' } }, {}, true],
  ['the event store is away', { ...ALL_OK, eventStore: { status: 'degraded' as const } }, {}, false],
  ['a worker is not well', ALL_OK, { learning: { status: 'degraded' as const, reason: 'database away', detail: { attempts: 3 } } }, true],
])('503 when %s, with the reason; webhooks are judged separately', async (_name, dependencies, workers, acceptsWebhooks) => {
  const answer = await server(dependencies, workers).inject({ url: '/health/ready' });
  expect([answer.statusCode, answer.json()]).toEqual([503, { ready: false, acceptsWebhooks, dependencies, workers }]);
});

test('a warning is told and leaves it ready, whatever carries it', async () => {
  const warning: WorkerHealth = { status: 'warning', reason: 'this host\'s clock is 600 s ahead' };
  const app = server({ ...ALL_OK, eventStore: warning }, { clock: warning });
  const answer = await app.inject({ url: '/health/ready' });
  expect([answer.statusCode, answer.json()]).toEqual([200, { ready: true, acceptsWebhooks: true, dependencies: { ...ALL_OK, eventStore: warning }, workers: { clock: warning } }]);
  const metrics = await app.inject({ url: '/metrics', headers: { authorization: 'Bearer admin-token' } });
  expect(metrics.body).toContain('paynotify_worker_up{worker="clock"} 1');
});

test('metrics need a token of either kind and name the workers', async () => {
  const app = server(ALL_OK, { projector: OK, learning: { status: 'degraded' } });
  expect((await app.inject({ url: '/metrics' })).statusCode).toBe(401);
  for (const token of ['admin-token', 'service-token']) {
    const answer = await app.inject({ url: '/metrics', headers: { authorization: `Bearer ${token}` } });
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    expect(answer.body).toContain('paynotify_worker_up{worker="projector"} 1');
    expect(answer.body).toContain('paynotify_worker_up{worker="learning"} 0');
  }
});
