import type { FastifyError, FastifySchemaValidationError } from 'fastify';

/** One place in a request that is wrong. `pointer` is a JSON pointer (RFC 6901, URI fragment) into the part named by `in`. */
export interface ValidationFailure {
  readonly in: 'body' | 'query' | 'path' | 'headers';
  readonly pointer: string;
  readonly detail: string;
}

/** A hostile body can be wrong in thousands of places; a person reads the first few. (The validator itself ends after 8.) */
const FAILURES_SHOWN_MAX = 20;

const PARTS: Readonly<Record<string, ValidationFailure['in']>> = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' };

type ValidationError = FastifyError & { validation: FastifySchemaValidationError[] };

export function hasValidationErrors(error: unknown): error is ValidationError {
  return error instanceof Error && Array.isArray((error as Partial<ValidationError>).validation);
}

export function validationFailures(errors: readonly FastifySchemaValidationError[], context: string | undefined): ValidationFailure[] {
  const part = PARTS[context ?? 'body'] ?? 'body';
  const byPointer = new Map<string, string>();
  for (const error of errors) {
    for (const [pointer, detail] of failuresOf(error)) byPointer.set(pointer, alternatives(byPointer.get(pointer), detail));
  }
  return [...byPointer].slice(0, FAILURES_SHOWN_MAX).map(([pointer, detail]) => ({ in: part, pointer, detail }));
}

/** A missing or superfluous property is pointed at by its own name, not by the object around it. */
function failuresOf(error: FastifySchemaValidationError): [string, string][] {
  const at = (name: string) => `#${error.instancePath}/${escape(name)}`;
  const { requiredProperties, additionalProperties, allowedValue } = error.params as {
    requiredProperties?: string[];
    additionalProperties?: string[];
    allowedValue?: unknown;
  };
  if (requiredProperties !== undefined) return requiredProperties.map((name) => [at(name), 'is required']);
  if (Array.isArray(additionalProperties)) return additionalProperties.map((name) => [at(name), 'is not known here']);
  if (error.keyword === 'boolean') return [[`#${error.instancePath}`, 'is not known here']];
  if (error.keyword === 'anyOf') return [];
  if (error.keyword === 'const') return [[`#${error.instancePath}`, `must be ${JSON.stringify(allowedValue)}`]];
  return [[`#${error.instancePath}`, error.message ?? 'is not valid']];
}

/** The branches of a union are one failure: `must be "a" or "b"`. */
function alternatives(before: string | undefined, detail: string): string {
  if (before === undefined || before === detail) return detail;
  return `${before} or ${detail.replace(/^must be /, '')}`;
}

function escape(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
}
