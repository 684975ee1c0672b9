import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

/**
 * Bodies are taken as they are: `"5"` is not a number. Path, query and headers are text by nature and are converted to
 * the schema's types. Missing values take the schema's defaults in both.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (input: unknown) => {
    const withDefaults = Value.Default(schema, input);
    const value = httpPart === 'body' ? withDefaults : Value.Convert(schema, withDefaults);
    if (check.Check(value)) return { value };
    return { error: check.Errors(value) as never };
  };
};
