import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { findOperation, type DeclaredResponse, type OpenApiDocument, type Operation, type Schema } from './operations.ts';
import type { FuzzAnswer, FuzzRequest } from './request.ts';

/** @returns what is wrong with an answer, or null. */
export type Judge = (request: FuzzRequest, answer: FuzzAnswer | null) => string | null;

/** Of these nothing but the document is looked at; everything else that is no success has to be a refusal. */
const UNAVAILABLE = 503;

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

  return ({ method, target }, answer) => {
    if (answer === null) return 'no answer';
    const { status } = answer;
    if (status >= 500 && status !== UNAVAILABLE) return `status ${status}`;
    const operation = findOperation(operations, method, target) ?? (target.includes('/webhooks/') && method === 'POST' ? operations.find(({ path }) => path.startsWith('/webhooks/')) ?? null : null);
    const refused = status >= 400 && status < 500 ? contradiction(document.components.responses.Refused, method, answer) : 'only a refusal is declared where there is no route';
    if (operation === null) return refused;
    const responses = operation.declared.responses;
    return contradiction(responses[String(status)] ?? responses[`${String(status)[0]}XX`], method, answer);
  };
}

function valueOf(mediaType: string, body: string): unknown {
  if (!mediaType.endsWith('json')) return body;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
