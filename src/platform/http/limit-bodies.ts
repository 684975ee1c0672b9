import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from '../../contracts/errors.ts';

/** The largest body has 1 MiB; the line of a provider or a shop takes a fraction of a second for it, and a slow one four seconds. A provider that is slow itself is answered within the 4 s that providers are promised. */
export const BODY_TIMEOUT_MS = 3_800;

const TOO_SLOW = 'The request did not arrive in time.';

/** Gives the body of a request its own time, which is the sender's: answered with 408, and the connection is closed. */
export function limitBodies(app: FastifyInstance, timeoutMs: number = BODY_TIMEOUT_MS): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  app.addHook('onRequest', (request, reply, done) => {
    if (!hasBody(request)) return done();
    const timer = setTimeout(() => {
      if (reply.sent || request.raw.complete) return;
      void reply.header('connection', 'close').send(new RequestError(408, 'request-too-slow', TOO_SLOW));
    }, timeoutMs);
    timers.set(request, timer);
    reply.raw.once('close', () => clearTimeout(timer));
    done();
  });
  // Its body is here and was read.
  app.addHook('preValidation', (request, _reply, done) => {
    clearTimeout(timers.get(request));
    done();
  });
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
