import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../../contracts/errors.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createFailedAttempts, type FailedAttempts } from './failed-attempts.ts';
import type { Caller, TokenCheck, TokenKind } from './token-check.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of the token that the request came with; empty on routes without one. */
    actor: string;
  }
}

export type TokenHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export interface Authentication {
  /** `onRequest` hook: lets only callers of this kind (or with any valid token) in and sets `request.actor`. */
  requireToken(kind: TokenKind | 'any'): TokenHook;
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i;
const CHALLENGE = 'Bearer realm="paynotify"';

export function createAuthentication(check: TokenCheck, metrics: Metrics, failures: FailedAttempts = createFailedAttempts()): Authentication {
  return {
    requireToken: (kind) => async (request, reply) => {
      const caller = callerOf(request, check);
      if (caller === null) throw refuse(request, reply);
      if (kind !== 'any' && caller.kind !== kind) {
        throw new RequestError(403, 'token-kind-wrong', `This route needs ${kind === 'admin' ? 'an admin' : 'a service'} token; this is a token of another kind.`);
      }
      request.actor = caller.name;
    },
  };

  /** Missing, malformed and unknown tokens get the same answer, so that nothing is learnt from it. */
  function refuse(request: FastifyRequest, reply: FastifyReply): RequestError {
    metrics.authenticationFailures.inc();
    const waitSeconds = failures.record(request.ip);
    if (waitSeconds > 0) {
      reply.header('retry-after', String(waitSeconds));
      return new RequestError(429, 'too-many-failures', 'Too many requests without a valid token came from this address.');
    }
    reply.header('www-authenticate', CHALLENGE);
    return new RequestError(401, 'token-invalid', 'A valid token is needed: Authorization: Bearer <token>.');
  }
}

function callerOf(request: FastifyRequest, check: TokenCheck): Caller | null {
  const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
  return token === undefined ? null : check(token);
}
