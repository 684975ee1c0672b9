import type { TSchema } from 'typebox';

type Schema = Readonly<Record<string, unknown>>;

interface ObjectSchema {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly additionalProperties?: TSchema | boolean;
}

/** What holds one value without members, and needs no closing. */
const SCALARS: readonly unknown[] = ['string', 'integer', 'number', 'boolean', 'null'];

/**
 * Pure. The same schema as it is to be asked for: taking no member that it does not declare, at every depth, and asking for
 * none that has a default, which is put in before the request is looked at.
 * @throws Error when part of it takes anything at all, or is put together so that no part of it knows all members.
 */
export function closeSchema(schema: TSchema): TSchema {
  const { type, anyOf, oneOf, allOf } = schema as Schema;
  if (type === 'object') return closeObject(schema);
  if (type === 'array') return changed(schema, { items: closeSchema(part((schema as Schema).items)) });
  if (Array.isArray(anyOf)) return changed(schema, { anyOf: anyOf.map((branch) => closeSchema(part(branch))) });
  if (Array.isArray(oneOf)) return changed(schema, { oneOf: oneOf.map((branch) => closeSchema(part(branch))) });
  if (Array.isArray(allOf) && allOf.every(isScalar)) return schema;
  if (isScalar(schema)) return schema;
  throw new Error(`a request's schema must say what it takes, and as one object: ${JSON.stringify(schema)}`);
}

function closeObject(schema: TSchema): TSchema {
  const { properties, patternProperties, additionalProperties = false, required } = schema as ObjectSchema;
  if (additionalProperties === true) throw new Error(`a request's schema must not take every member: ${JSON.stringify(schema)}`);
  return changed(schema, {
    ...(properties === undefined ? {} : { properties: closeAll(properties) }),
    ...(patternProperties === undefined ? {} : { patternProperties: closeAll(patternProperties) }),
    ...(required === undefined ? {} : { required: required.filter((name) => !('default' in (properties?.[name] ?? {}))) }),
    additionalProperties: additionalProperties === false ? false : closeSchema(additionalProperties),
  });
}

function closeAll(schemas: Readonly<Record<string, TSchema>>): Readonly<Record<string, TSchema>> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, closeSchema(schema)]));
}

function isScalar(schema: unknown): boolean {
  const { type, enum: words, const: word } = schema as Schema;
  return SCALARS.includes(type) || Array.isArray(words) || word !== undefined;
}

function part(schema: unknown): TSchema {
  if (typeof schema === 'object' && schema !== null) return schema;
  throw new Error('a request\'s schema must say what its parts are');
}

/** A copy that keeps what TypeBox notes beside the enumerable members; schemas are shared with answers, which stay open. */
function changed(schema: TSchema, changes: Schema): TSchema {
  return Object.assign(Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema)), changes);
}
