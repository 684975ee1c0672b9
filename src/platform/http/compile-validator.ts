import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

/** Every whole number that JSON can tell. TypeBox would also take `true`, `1.5` and the empty text for one. */
const WHOLE_NUMBER = /^(0|-?[1-9]\d{0,15})$/;

/**
 * Bodies are taken as they are: `"5"` is not a number. Path and query are text by nature: where a whole number is
 * declared, its digits are read. Missing values take the schema's defaults in both.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (input: unknown) => {
    const withDefaults = Value.Default(schema, input);
    const value = httpPart === 'body' ? withDefaults : readNumbers(schema, withDefaults);
    if (check.Check(value)) return { value };
    return { error: check.Errors(value) as never };
  };
};

function readNumbers(schema: TSchema, value: unknown): unknown {
  const { properties = {} } = schema as { readonly properties?: Readonly<Record<string, { readonly type?: unknown }>> };
  const parts = { ...(value as Readonly<Record<string, unknown>>) };
  for (const [name, { type }] of Object.entries(properties)) {
    const text = parts[name];
    if (type === 'integer' && typeof text === 'string' && WHOLE_NUMBER.test(text)) parts[name] = Number(text);
  }
  return parts;
}
