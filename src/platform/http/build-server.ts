import fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, type RawServerDefault } from 'fastify';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { RequestError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { answerFrameworkErrors, answerWithProblems, type OnRefused } from './answer-with-problems.ts';
import { addApiDocument } from './api-document.ts';
import { createBoundServer, type ConnectionLimits } from './bound-connections.ts';
import { answerClientErrors } from './client-error.ts';
import { closeRequests } from './close-requests.ts';
import { compileValidator } from './compile-validator.ts';
import { limitBodies } from './limit-bodies.ts';
import { limitHandlers } from './limit-handlers.ts';
import { observeRequests } from './observe-requests.ts';
import { addJsonParser } from './parse-json.ts';
import { traceIdOf } from './trace-id.ts';

export type Server = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

export interface ServerOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Version shown in the OpenAPI document. */
  readonly version: string;
  /** Proxies in front of this server whose `X-Forwarded-For` is believed; 0 = none. Never "all of them". */
  readonly trustedProxyHops?: number;
  /** Told of whatever is refused by the server itself, and not by a route's own error handler. Must not throw. */
  readonly onRefused?: OnRefused;
  /** Time of every handler, in place of its route's own; for tests. */
  readonly deadlineMs?: number;
  /** Other limits of connections; for tests. */
  readonly connections?: ConnectionLimits;
  /** Which URL is meant by the one that came, before a route is looked for. Must not throw. */
  readonly meantUrl?: (url: string) => string;
}

/** Requests of the shop and of operators are far smaller. Webhooks have a limit of their own. */
export const BODY_SIZE_MAX = 64 * 1024;
/** A payNo or course id is far shorter; the limit keeps long paths out of the router. */
export const PARAM_LENGTH_MAX = 128;
/** Whoever stalls in its headers is cut off; and in a body that nobody reads, where limit-bodies.ts has no part. Node looks once per interval. */
export const HEADERS_TIMEOUT_MS = 5_000;
export const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_CHECK_MS = 1_000;

/**
 * The HTTP server without any route. Handlers for errors are set here, before any scope is registered: a scope copies
 * them at its registration, and one registered earlier would answer in Fastify's own format.
 */
export function buildServer(options: ServerOptions): Server {
  const app: FastifyInstance = fastify(serverOptions(options));
  app.setValidatorCompiler(compileValidator);
  app.decorateRequest('actor', '');
  answerWithProblems(app, options.log, options.onRefused);
  refuseWhileClosing(app);
  observeRequests(app, options);
  limitBodies(app);
  limitHandlers(app, options);
  addJsonParser(app);
  closeRequests(app);
  addApiDocument(app, options.version);
  return app.withTypeProvider<TypeBoxTypeProvider>();
}

const HTTP_OPTIONS = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: CONNECTIONS_CHECK_MS };

function ignore(): void {}

function serverOptions({ log, metrics, connections, trustedProxyHops = 0, onRefused = ignore, meantUrl }: ServerOptions): FastifyHttpOptions<HttpServer> {
  return {
    logger: false,
    bodyLimit: BODY_SIZE_MAX,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    serverFactory: (handle) => createBoundServer(handle, { ...connections, log, metrics, http: HTTP_OPTIONS }),
    // Fastify's own refusal while closing is not a problem document; `refuseWhileClosing` says the same in one.
    return503OnClosing: false,
    trustProxy: (_address, hop) => hop < trustedProxyHops,
    genReqId: (request) => traceIdOf(request.headers.traceparent),
    clientErrorHandler: answerClientErrors(onRefused),
    frameworkErrors: answerFrameworkErrors(onRefused),
    ...(meantUrl === undefined ? {} : { rewriteUrl: ({ url }) => meantUrl(url ?? '') }),
  };
}

function refuseWhileClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => void (closing = true));
  app.addHook('onRequest', async (_request, reply) => {
    if (!closing) return;
    reply.header('connection', 'close');
    throw new RequestError(503, 'shutting-down', 'This server is shutting down. Send the request again.');
  });
}
