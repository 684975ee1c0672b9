import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../observe/logger.ts';
import { createThrottledLog } from '../observe/throttled-log.ts';
import { rememberPaths } from './known-paths.ts';
import { PROBLEM_MEDIA_TYPE, problem, toProblem, type Problem } from './problem.ts';

/** A request that was not let in, told to whoever counts them. */
export interface Refusal {
  /** As it came; null when it was refused before its path could be read. A caller's choice: for labels and logs only by what is known of it. */
  readonly url: string | null;
  readonly status: number;
  /** A word of ours, one of few. */
  readonly reason: string;
  readonly traceId: string;
}

export type OnRefused = (refusal: Refusal) => void;

/** Makes every refusal of the server, from a bad URL to a bug, an RFC 9457 problem document. */
export function answerWithProblems(app: FastifyInstance, log: Logger, onRefused: OnRefused = () => undefined): void {
  const paths = rememberPaths(app);
  const throttled = createThrottledLog(log);
  app.setErrorHandler(async (error, request, reply) => {
    const { problem: answer, headers, code } = toProblem(error, request);
    onRefused({ url: request.url, status: answer.status, reason: code, traceId: request.id });
    const line = { event: 'request.failed', traceId: request.id, method: request.method, route: request.routeOptions.url, status: answer.status, err: error };
    if (answer.status === 500) log.error(line);
    // What is put off in an outage is one matter, however many ask.
    else if (answer.status > 500) throttled.note('error', `${line.method} ${line.route} ${answer.type}`, line);
    return send(reply.headers(headers), answer);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const allowed = paths.methodsOf(request.url);
    const [status, reason] = allowed.length === 0 ? [404, 'route-unknown'] : [405, 'method-not-allowed'];
    onRefused({ url: request.url, status, reason, traceId: request.id });
    if (allowed.length === 0) return send(reply, problem(404, 'route-unknown', 'There is nothing at this path.', request.id));
    const detail = `${request.method} is not possible here; ${allowed.join(', ')} is.`;
    return send(reply.header('allow', allowed.join(', ')), problem(405, 'method-not-allowed', detail, request.id));
  });
}

/** For what Fastify refuses before a route is found, where no handler above is reached. */
export function answerFrameworkErrors(onRefused: OnRefused) {
  return (error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    const { problem: answer, code } = toProblem(error, request);
    onRefused({ url: request.url, status: answer.status, reason: code, traceId: request.id });
    void send(reply, answer);
  };
}

function send(reply: FastifyReply, answer: Problem): FastifyReply {
  // Serialized here, so that a route's response schema cannot strip members of a problem.
  return reply.code(answer.status).header('x-content-type-options', 'nosniff').type(PROBLEM_MEDIA_TYPE).serializer(JSON.stringify).send(answer);
}
