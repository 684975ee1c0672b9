import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { RequestError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createThrottledLog } from '../observe/throttled-log.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How long this route's handler may take, in place of HANDLER_DEADLINE_MS. */
    readonly deadlineMs?: number;
  }
  interface FastifyRequest {
    /** Aborted when the time of the handler is over, and its work is not wanted any more. */
    deadline: AbortSignal;
  }
}

/**
 * A webhook is answered within 4 s, with 503 if need be (WeChat Pay gives up at 5 s), and nobody who waits for a page waits
 * longer. Routes that legitimately take longer say so in their `config`.
 */
export const HANDLER_DEADLINE_MS = 3_800;

export interface HandlerLimits {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** For every route, in place of its own; for tests. */
  readonly deadlineMs?: number | undefined;
}

/** What a handler that does not end by itself is answered with. */
export function timedOut(): RequestError {
  return new RequestError(503, 'timed-out', 'The answer took too long. It is not known whether the request had an effect.');
}

/**
 * Gives each handler its time, beginning when the request is whole. Fastify's own `handlerTimeout` is not used: it ends with
 * the request's body, so that over HTTP nothing limits the handler of a POST.
 *
 * Order when the time is over: the signal is aborted → the request is answered with 503 → whatever the handler does from
 * then on reaches nobody. One that goes on is counted until it ends, and its late error is logged and goes nowhere else.
 */
export function limitHandlers(app: FastifyInstance, { log, metrics, deadlineMs }: HandlerLimits): void {
  const throttled = createThrottledLog(log);
  const limited = new WeakSet<RouteHandlerMethod>();
  app.decorateRequest('deadline', null as unknown as AbortSignal);
  app.addHook('onRoute', (route) => {
    // A HEAD route is made of its GET route's handler.
    if (limited.has(route.handler)) return;
    route.handler = limit(route.handler, deadlineMs ?? route.config?.deadlineMs ?? HANDLER_DEADLINE_MS, noteOverdue);
    limited.add(route.handler);
  });

  function noteOverdue(request: FastifyRequest, work: Promise<unknown>): void {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.httpTimeouts.inc({ route });
    metrics.httpOverdue.inc();
    const startedAt = performance.now();
    const end = (error: object): void => {
      metrics.httpOverdue.dec();
      throttled.note('warn', route, { event: 'request.ended-late', traceId: request.id, method: request.method, route, lateMs: Math.round(performance.now() - startedAt), ...error });
    };
    work.then(() => end({}), (err: unknown) => end({ err }));
  }
}

type OnOverdue = (request: FastifyRequest, work: Promise<unknown>) => void;

function limit(handler: RouteHandlerMethod, limitMs: number, onOverdue: OnOverdue): RouteHandlerMethod {
  return function limited(request, reply) {
    const deadline = new AbortController();
    request.deadline = deadline.signal;
    const work = handler.call(this, request, reply);
    return work instanceof Promise ? untilOver(work, deadline, limitMs, { request, reply, onOverdue }) : work;
  };
}

interface Limited {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly onOverdue: OnOverdue;
}

function untilOver(work: Promise<unknown>, deadline: AbortController, limitMs: number, { request, reply, onOverdue }: Limited): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (): void => {
      // Answered, and not taken yet: that is the connection's time, not the handler's.
      if (isOver || reply.sent) return;
      onOverdue(request, work);
      const error = timedOut();
      deadline.abort(error);
      reject(error);
    };
    // A process that got no processor time finds its timers late and what was waited for unread: that is looked at first.
    const timer = setTimeout(() => setImmediate(end), limitMs);
    work.then(resolve, reject).finally(() => {
      isOver = true;
      clearTimeout(timer);
    });
  });
}
