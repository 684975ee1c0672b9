import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { Type } from 'typebox';
import { PROBLEM_MEDIA_TYPE, toProblem } from '../../platform/http/problem.ts';
import { readBody } from '../../platform/http/read-body.ts';
import { answerOf, problemResponses, ProblemSchema } from '../../platform/http/schemas.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { createThrottledLog } from '../../platform/observe/throttled-log.ts';
import type { ProviderAccounts } from './provider-accounts.ts';
import { problemAnswer } from './providers/problem-answer.ts';
import { STATUS_BY_OUTCOME, type ReceiveOutcome } from './providers/provider.ts';
import { providersByName } from './providers/registry.ts';
import type { ReceiveNotification } from './receive-notification.ts';
import { createWebhookAdmission, mustClose, WEBHOOK_BODY_BYTES_MAX } from './webhook-admission.ts';
import type { WebhookRefusals } from './webhook-refusals.ts';

export interface WebhookRoutesDeps {
  readonly receive: ReceiveNotification;
  readonly accounts: ProviderAccounts;
  readonly refusals: WebhookRefusals;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** The last line behind the store's own deadlines: providers are promised an answer within 4 s of their request. */
const WEBHOOK_DEADLINE_MS = 3_800;

const ACKNOWLEDGED = (Object.keys(STATUS_BY_OUTCOME) as ReceiveOutcome[]).filter((outcome) => STATUS_BY_OUTCOME[outcome] === 200);

/** Each provider is answered in the form that it understands: Alipay in a word, WeChat Pay in JSON, the others in a problem document. */
const refusal = (description: string) =>
  answerOf(description, {
    [PROBLEM_MEDIA_TYPE]: ProblemSchema,
    'application/json': Type.Object({ code: Type.Literal('FAIL'), message: Type.String() }),
    'text/plain': Type.Literal('fail'),
  });

const ANSWERS = {
  200: answerOf('Stored, or known already: not to be sent again', { 'application/json': Type.Object({ outcome: Type.Enum(ACKNOWLEDGED) }), 'text/plain': Type.Literal('success') }),
  204: Type.Null({ description: 'The same, for WeChat Pay' }),
  400: refusal('Not in the agreed format'),
  401: refusal('Not proven to be genuine. No reason is given'),
  413: refusal('Larger than a notification can be'),
  503: refusal('Not stored, or about a payment that is not known yet: to be sent again'),
  '4xx': problemResponses['4xx'],
};

interface WebhookPath {
  readonly provider: string;
  readonly account: string;
}

/**
 * `POST /webhooks/:provider/:account`, in a scope of its own where a body of any content type arrives as the bytes that
 * were signed. There is no token: the signature is the authentication. Every answer, also to what the server itself
 * refuses, has the form the provider understands, and a success is never the answer to an error.
 */
export function webhookRoutes({ receive, accounts, refusals, metrics, log }: WebhookRoutesDeps): FastifyPluginAsync {
  const throttled = createThrottledLog(log);
  const admission = createWebhookAdmission(accounts, metrics);
  return async (scope) => {
    // The header says nothing that we believe, and a provider's malformed one must not cost a payment.
    scope.addHook('onRequest', async (request) => void (request.headers['content-type'] = 'application/octet-stream'));
    scope.addHook('onRequest', async (request, reply) => admission.admit(request, reply));
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) => readBody(payload, WEBHOOK_BODY_BYTES_MAX));
    scope.post<{ Params: WebhookPath }>('/webhooks/:provider/:account', {
      schema: {
        tags: ['webhooks'],
        summary: 'Receives a signed notification of a payment provider',
        params: Type.Object({ provider: Type.String(), account: Type.String() }),
        response: ANSWERS,
      },
      config: { deadlineMs: WEBHOOK_DEADLINE_MS, takesUnknown: true },
      errorHandler: (error, request, reply) => {
        const { code, problem } = toProblem(error, request);
        const outcome = outcomeOf(problem.status);
        // A mistake of ours is one matter, however many webhooks meet it.
        if (problem.status === 500) throttled.note('error', 'failed', { event: 'webhook.failed', traceId: request.id, err: error });
        refusals.note({ url: request.url, status: problem.status, reason: code, traceId: request.id, outcome, bodyBytes: Number(request.headers['content-length'] ?? 0) });
        if (mustClose(request, code)) void reply.header('connection', 'close');
        void answerWith(outcome, request, reply);
      },
      handler: async (request, reply) => {
        const { provider, account } = request.params;
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const outcome = await admission.working(request, () => receive({ provider, account, headers: request.headers, body, traceId: request.id, signal: request.deadline }));
        // Counted with its own reason where it was refused; answered already when it took too long.
        if (!reply.sent && isToldAgain(outcome)) refusals.count(request.params, outcome);
        return answerWith(outcome, request, reply);
      },
    });
  };
}

function answerWith(outcome: ReceiveOutcome, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { provider } = request.params as WebhookPath;
  const answer = (providersByName.get(provider)?.answer ?? problemAnswer)(outcome, request.id);
  return reply.code(answer.status).headers(answer.headers).send(answer.body);
}

function isToldAgain(outcome: ReceiveOutcome): boolean {
  return outcome === 'malformed' || outcome === 'unknown-payment' || outcome === 'unavailable';
}

/** What the server refused before or instead of our handler. Everything that is not the sender's fault is "try again". */
function outcomeOf(status: number): ReceiveOutcome {
  if (status === 401) return 'refused';
  if (status === 413) return 'too-large';
  // A slow line is not the notification's fault.
  if (status === 408) return 'unavailable';
  return status < 500 ? 'malformed' : 'unavailable';
}
