import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { Type } from 'typebox';
import { isWorking, judgeHealth, type Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { WorkerHealth } from '../process/worker.ts';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';
import { answerOf, problemResponses, UnavailableSchema } from './schemas.ts';

export interface HealthRoutesDeps {
  readonly metrics: Metrics;
  /** Looks at the dependencies now; each look has its own time limit. A part that is not started yet is `starting`. */
  checkDependencies(): Promise<Health['dependencies']>;
  workers(): Readonly<Record<string, WorkerHealth>>;
  /** Metrics name amounts of business and providers: any valid token may read them, nobody else. */
  readonly requireToken: onRequestAsyncHookHandler;
}

/** Load balancers and scrapers add what they like to their requests. */
const FOR_ANY_PROBE = { config: { takesUnknown: true } };

const PartSchema = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('warning'), Type.Literal('starting'), Type.Literal('degraded')]),
  reason: Type.Optional(Type.String({ description: 'Why it is not ok, for a person' })),
  detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

const HealthSchema = Type.Object({
  ready: Type.Boolean({ description: 'Every dependency and worker is ok, or works with a warning' }),
  acceptsWebhooks: Type.Boolean({ description: 'The event store is there, has room, and took the last append: webhooks are accepted, whatever else is missing' }),
  dependencies: Type.Record(Type.String(), PartSchema),
  workers: Type.Record(Type.String(), PartSchema),
});

export function healthRoutes(deps: HealthRoutesDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/health/live', {
      ...FOR_ANY_PROBE,
      schema: { tags: ['health'], summary: 'The process runs and answers', response: { 200: Type.Object({ live: Type.Literal(true) }), ...problemResponses } },
    }, async () => ({ live: true as const }));

    app.get('/health/ready', {
      ...FOR_ANY_PROBE,
      schema: {
        tags: ['health'],
        summary: 'State of every dependency and worker; 503 until all of them work',
        response: { ...problemResponses, 200: HealthSchema, 503: answerOf('Not ready: its parts say why. Or no answer can be given now', { 'application/json': HealthSchema, [PROBLEM_MEDIA_TYPE]: UnavailableSchema }) },
      },
    }, async (_request, reply) => {
      const health = judgeHealth(await deps.checkDependencies(), deps.workers());
      return reply.code(health.ready ? 200 : 503).send(health);
    });

    app.get('/metrics', {
      ...FOR_ANY_PROBE,
      onRequest: deps.requireToken,
      schema: { tags: ['health'], summary: 'Prometheus metrics', security: [{ adminToken: [] }, { serviceToken: [] }], response: { ...problemResponses, 200: answerOf('In the text format of Prometheus', { 'text/plain': Type.String() }) } },
    }, async (_request, reply) => {
      for (const [worker, health] of Object.entries(deps.workers())) deps.metrics.workerUp.set({ worker }, isWorking(health) ? 1 : 0);
      const text = await deps.metrics.registry.metrics();
      return reply.type(deps.metrics.registry.contentType).send(text);
    });
  };
}
