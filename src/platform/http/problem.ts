import { STATUS_CODES } from 'node:http';
import {
  AppendOutcomeUnknownError,
  DamagedStreamError,
  DependencyUnavailableError,
  RequestError,
} from '../../contracts/errors.ts';
import { isDatabaseUnavailable } from '../database/classify-error.ts';
import { hasValidationErrors, refuseAsInvalid, validationFailures, type ValidationFailure } from './validation-failures.ts';

/** RFC 9457 problem document. `type` is stable and safe to match on; `traceId` finds the request in the log. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly traceId: string;
  readonly errors?: readonly ValidationFailure[];
  readonly [extension: string]: unknown;
}

export interface ProblemAnswer {
  /** End of the problem's type: a word of ours, one of few. */
  readonly code: string;
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Long enough for an embedded service to come back from a restart, short enough for a buyer who waits. */
const RETRY_AFTER_SECONDS = 2;

/** What Fastify itself refuses, by its error code. The details are ours: Fastify's words may change with a version. */
const FRAMEWORK_PROBLEMS: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  FST_ERR_BAD_URL: { status: 400, code: 'url-invalid', detail: 'The URL has a malformed percent escape.' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 414, code: 'url-too-long', detail: 'A part of the path is too long.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, code: 'media-type-unsupported', detail: 'This route takes application/json.' },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'body-too-large', detail: 'The body is larger than this route takes.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { status: 400, code: 'content-length-mismatch', detail: 'The body is not as long as Content-Length says.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, code: 'body-missing', detail: 'The body is empty although Content-Type says JSON.' },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, code: 'json-invalid', detail: 'The body is not a JSON document this server takes.' },
};

export function problemType(code: string): string {
  return `urn:paynotify:problem:${code}`;
}

export function problem(status: number, code: string, detail: string | undefined, traceId: string, extensions: Readonly<Record<string, unknown>> = {}): Problem {
  return {
    ...extensions,
    type: problemType(code),
    title: STATUS_CODES[status] ?? 'Error',
    status,
    ...(detail === undefined ? {} : { detail }),
    traceId,
  };
}

/** What an answer goes by, beside the error. */
export interface FailedRequest {
  readonly id: string;
  readonly raw: { readonly errored: Error | null; readonly socket?: { readonly errored: Error | null } | null };
}

/**
 * Maps any error to its answer. An error that is not meant for the caller becomes a bare 500: its message may hold a
 * query, an address or a secret, and stays in the log under the same `traceId`.
 */
export function toProblem(error: unknown, request: FailedRequest): ProblemAnswer {
  const traceId = request.id;
  // Its code may be that of a lost connection to a server of ours, and it says nothing of them.
  if (isOfOwnConnection(error, request)) return answerOf(400, 'connection-lost', 'The connection ended before the request was whole.', traceId);
  if (error instanceof RequestError) return answerOf(error.status, error.code, error.message, traceId, error.extensions);
  if (error instanceof DependencyUnavailableError) {
    return answerOf(503, error.code, `The ${error.dependency.replace('-', ' ')} is not reachable just now.`, traceId, { dependency: error.dependency });
  }
  if (error instanceof DamagedStreamError) return answerOf(409, error.code, `The events of this payment cannot be judged: ${error.message}.`, traceId);
  if (isDatabaseUnavailable(error)) return answerOf(503, 'dependency-unavailable', 'The database cannot be used just now.', traceId, { dependency: 'database' });
  if (error instanceof AppendOutcomeUnknownError) {
    return answerOf(503, error.code, 'It is not known whether the request was stored. Sending it again is safe.', traceId);
  }
  if (hasValidationErrors(error)) {
    return toProblem(refuseAsInvalid(validationFailures(error.validation, error.validationContext)), request);
  }
  return frameworkAnswer(error, traceId) ?? answerOf(500, 'internal', undefined, traceId);
}

function isOfOwnConnection(error: unknown, { raw }: FailedRequest): boolean {
  return error instanceof Error && (error === raw.errored || error === raw.socket?.errored);
}

function frameworkAnswer(error: unknown, traceId: string): ProblemAnswer | null {
  const { code, statusCode } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? FRAMEWORK_PROBLEMS[code] : undefined;
  if (known !== undefined) return answerOf(known.status, known.code, known.detail, traceId);
  const isCallersFault = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
  return isCallersFault ? answerOf(statusCode, 'request-refused', undefined, traceId) : null;
}

function answerOf(status: number, code: string, detail: string | undefined, traceId: string, extensions: Readonly<Record<string, unknown>> = {}): ProblemAnswer {
  return { code, problem: problem(status, code, detail, traceId, extensions), headers: headersOf(status) };
}

function headersOf(status: number): Readonly<Record<string, string>> {
  return status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {};
}
