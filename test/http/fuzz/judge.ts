import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { findOperation, type DeclaredResponse, type OpenApiDocument, type Operation, type Schema } from './operations.ts';
import type { FuzzAnswer, FuzzRequest } from './request.ts';

/** @returns what is wrong with an answer, or null. */
export type Judge = (request: FuzzRequest, answer: FuzzAnswer | null) => string | null;

const UNAVAILABLE = 503;
/** Whoever calls these may add to a request what they do not know. */
const OPEN = /^\/(webhooks|health|metrics)/;

export function createJudge(document: OpenApiDocument, operations: readonly Operation[]): Judge {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  const compiled = new Map<Schema, ValidateFunction>();
  const checkOf = (schema: Schema): ValidateFunction => {
    const check = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, check);
    return check;
  };

  function contradiction(declared: DeclaredResponse | undefined, method: string, { status, mediaType, body }: FuzzAnswer): string | null {
    if (declared === undefined) return `status ${status} is not declared`;
    if (method === 'HEAD') return null;
    if (declared.content === undefined) return body === '' ? null : 'a body where none is declared';
    const schema = mediaType === null ? undefined : declared.content[mediaType]?.schema;
    if (schema === undefined) return `media type ${mediaType} is not declared for ${status}`;
    const check = checkOf(schema);
    return check(valueOf(mediaType ?? '', body)) ? null : `the body of ${status} is not as declared: ${ajv.errorsText(check.errors)}`;
  }

  /** What is taken must be what is declared; what else is refused is no matter of this. */
  function isAllowed({ bodySchema, declared, path }: Operation, { target, body }: FuzzRequest): boolean {
    if (OPEN.test(path)) return true;
    const sent = body === null ? null : valueOf('json', body.toString('utf8'));
    const isBodyRight = bodySchema === null ? sent === null || JSON.stringify(sent) === '{}' : checkOf(bodySchema)(sent);
    const query = [...new URLSearchParams(target.split('#', 1)[0]?.split('?').slice(1).join('?'))];
    const isOnce = new Set(query.map(([name]) => name)).size === query.length;
    return isBodyRight && isOnce && query.every(([name, text]) => {
      const schema = declared.parameters?.find((one) => one.in === 'query' && one.name === name)?.schema;
      return schema !== undefined && checkOf(schema)(schema.type === 'integer' && text !== '' ? Number(text) : text);
    });
  }

  return (request, answer) => {
    const { method, target } = request;
    if (answer === null) return 'no answer';
    const { status } = answer;
    if (status >= 500 && status !== UNAVAILABLE) return `status ${status}`;
    const operation = findOperation(operations, method, target) ?? (target.includes('/webhooks/') && method === 'POST' ? operations.find(({ path }) => path.startsWith('/webhooks/')) ?? null : null);
    const refused = status >= 400 && status < 500 ? contradiction(document.components.responses.Refused, method, answer) : 'only a refusal is declared where there is no route';
    if (operation === null) return refused;
    // The body of a GET is no part of it.
    if (status < 300 && method !== 'HEAD' && !isAllowed(operation, method === 'GET' ? { ...request, body: null } : request)) return 'what is not declared was taken';
    const responses = operation.declared.responses;
    return contradiction(responses[String(status)] ?? responses[`${String(status)[0]}XX`], method, answer);
  };
}

function valueOf(mediaType: string, body: string): unknown {
  if (!mediaType.endsWith('json')) return body;
  try {
    // A byte order mark may be ignored (RFC 8259, 8.1), and is.
    return JSON.parse(body.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}
