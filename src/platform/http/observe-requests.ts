import type { FastifyInstance } from 'fastify';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';

/**
 * One metric and one log line per request, and the headers that every answer carries. The line is `debug`: modules log
 * what happened (`payment.appended`) themselves, and a stranger must not be able to fill the log.
 */
export function observeRequests(app: FastifyInstance, { log, metrics }: { log: Logger; metrics: Metrics }): void {
  const methods = new Set<string>();
  app.addHook('onRoute', ({ method }) => void [method].flat().forEach((name) => methods.add(name)));
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    // Whatever a caller may choose is one value, or a stranger would fill the memory.
    const method = methods.has(request.method) ? request.method : 'other';
    metrics.httpSeconds.observe({ method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    log.debug({
      event: 'request.answered',
      traceId: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
    });
  });
}
