import type { FastifyError, FastifySchemaValidationError } from 'fastify';
import { RequestError } from '../../contracts/errors.ts';

/** One place in a request that is wrong. `pointer` is a JSON pointer (RFC 6901, URI fragment) into the part named by `in`. */
export interface ValidationFailure {
  readonly in: 'body' | 'query' | 'path' | 'headers';
  readonly pointer: string;
  readonly detail: string;
}

/** A hostile body can be wrong in thousands of places; a person reads the first few. (The validator itself ends after 8.) */
const FAILURES_SHOWN_MAX = 20;
/** A member may be called anything; a name of ours is far shorter. */
const NAME_SHOWN_MAX = 64;
const NOT_KNOWN = 'is not known here';

const PARTS: Readonly<Record<string, ValidationFailure['in']>> = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' };

type ValidationError = FastifyError & { validation: FastifySchemaValidationError[] };

export function refuseAsInvalid(errors: readonly ValidationFailure[]): RequestError {
  return new RequestError(400, 'validation-failed', 'The request does not match what this route takes; `errors` says where.', { errors });
}

/** Of a part that may have no members at all. */
export function undeclaredMembers(part: ValidationFailure['in'], value: unknown): readonly ValidationFailure[] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const pointers = isObject ? Object.keys(value).map((name) => `#/${escape(name)}`) : ['#'];
  return pointers.slice(0, FAILURES_SHOWN_MAX).map((pointer) => ({ in: part, pointer, detail: NOT_KNOWN }));
}

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
  const place = pointerOf(error.instancePath);
  const at = (name: string) => `${place}/${escape(name)}`;
  const { requiredProperties, additionalProperties, allowedValue } = error.params as {
    requiredProperties?: string[];
    additionalProperties?: string[];
    allowedValue?: unknown;
  };
  if (requiredProperties !== undefined) return requiredProperties.map((name) => [at(name), 'is required']);
  if (Array.isArray(additionalProperties)) return additionalProperties.map((name) => [at(name), NOT_KNOWN]);
  if (error.keyword === 'boolean') return [[place, NOT_KNOWN]];
  if (error.keyword === 'anyOf') return [];
  if (error.keyword === 'const') return [[place, `must be ${JSON.stringify(allowedValue)}`]];
  return [[place, error.message ?? 'is not valid']];
}

/** @param path JSON pointer, as the validator writes it: names in full and not yet fit for a URI. */
function pointerOf(path: string): string {
  return `#${path.split('/').map((part) => shown(part)).join('/')}`;
}

/** The branches of a union are one failure: `must be "a" or "b"`. */
function alternatives(before: string | undefined, detail: string): string {
  if (before === undefined || before === detail) return detail;
  return `${before} or ${detail.replace(/^must be /, '')}`;
}

function escape(name: string): string {
  return shown(name.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function shown(name: string): string {
  const short = name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX)}…` : name;
  // Half of a surrogate pair, which the cut may leave, cannot be told in a URI.
  return encodeURIComponent(short.toWellFormed());
}
