import { Type, type TSchema } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import { PROBLEM_MEDIA_TYPE, problemType } from './problem.ts';

/** Schemas that routes of several modules share. */

/** A log position or amount: bigint in code, decimal text on the wire, because JSON numbers lose digits past 2^53. */
export const DecimalString = Type.String({ pattern: '^(0|[1-9]\\d{0,18})$', description: 'Whole number as decimal text' });

/** Number of a database row: at most 18 digits always fit into PostgreSQL's bigint, which answers a larger one with an error. */
export const RowNumber = Type.String({ pattern: '^(0|[1-9]\\d{0,17})$', description: 'Row number as decimal text' });

/**
 * A time in a request: RFC 3339, of a year in which there can be a payment. PostgreSQL has no room for the earliest ones,
 * and neither it nor JavaScript knows the second 60 of a leap second; fractions are read to the millisecond.
 */
export const Moment = Type.String({
  format: 'date-time',
  pattern: '^(19[7-9]\\d|2\\d{3})-\\d\\d-\\d\\dT\\d\\d:\\d\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$',
  description: 'Of the years 1970 to 2999',
});

/** @throws RequestError 400 for what has the form of a time and is none. */
export function timeOf(text: string, name: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new RequestError(400, 'time-invalid', `\`${name}\` is no time.`);
  return time;
}

/** Ids end up in stream names and log lines: letters, digits, dot, underscore, hyphen. */
export const Id = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });

const problemFields = {
  type: Type.String({ description: 'Stable name of the problem', examples: ['urn:paynotify:problem:validation-failed'] }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.Optional(Type.String()),
  traceId: Type.String(),
  errors: Type.Optional(
    Type.Array(Type.Object({ in: Type.Enum(['body', 'query', 'path', 'headers']), pointer: Type.String({ description: 'JSON pointer, as the fragment of a URI; long names are cut' }), detail: Type.String() }), {
      description: 'Of `validation-failed`: the first places that are wrong, never what was sent there',
    }),
  ),
};

export const ProblemSchema = Type.Object(problemFields);

/** The only reasons of a 503: nothing is known to be wrong with the request, and it may be sent again. */
export const UNAVAILABLE_CODES = ['dependency-unavailable', 'append-outcome-unknown', 'timed-out', 'shutting-down', 'clock-wrong'] as const;

export const UnavailableSchema = Type.Object({
  ...problemFields,
  type: Type.Enum(UNAVAILABLE_CODES.map(problemType), { description: 'Why it cannot be answered now' }),
});

/** One answer by media type, for a route's `response`. */
export function answerOf<const T extends Readonly<Record<string, TSchema>>>(description: string, schemas: T) {
  return { description, content: Object.fromEntries(Object.entries(schemas).map(([mediaType, schema]) => [mediaType, { schema }])) } as {
    readonly description: string;
    readonly content: { readonly [M in keyof T]: { readonly schema: T[M] } };
  };
}

/** Spread into a route's `response`: `{ 200: …, ...problemResponses }`. */
export const problemResponses = {
  '4xx': answerOf('The request cannot be taken as it is', { [PROBLEM_MEDIA_TYPE]: ProblemSchema }),
  503: answerOf('Not now: to be sent again', { [PROBLEM_MEDIA_TYPE]: UnavailableSchema }),
  '5xx': answerOf('A mistake of ours; the log has it under the `traceId`', { [PROBLEM_MEDIA_TYPE]: ProblemSchema }),
} as const;
