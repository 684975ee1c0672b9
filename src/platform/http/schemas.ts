import { Type } from 'typebox';
import { RequestError } from '../../contracts/errors.ts';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';

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

const ProblemSchema = Type.Object({
  type: Type.String({ description: 'Stable name of the problem', examples: ['urn:paynotify:problem:validation-failed'] }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.Optional(Type.String()),
  traceId: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ in: Type.String(), pointer: Type.String(), detail: Type.String() }))),
});

const problemResponse = { description: 'Problem document', content: { [PROBLEM_MEDIA_TYPE]: { schema: ProblemSchema } } };

/** Spread into a route's `response`: `{ 200: …, ...problemResponses }`. */
export const problemResponses = { '4xx': problemResponse, '5xx': problemResponse } as const;
