import { randomUUID } from 'node:crypto';
import type { Random } from '../../harness/random.ts';
import type { Schema } from './operations.ts';
import { textOfPattern } from './text-of-pattern.ts';

const TEXTS = ['a', '课程 – "Übung" \\ 𝄞', '<script>alert(1)</script>', "'; DROP TABLE orders; --", '${jndi:ldap://x}', '%s%n', ' ', '\t\r\n', '{}', 'null', '=1+1', '\u202e'];
const YEAR_MS = 31_536_000_000;

/** A value that a schema of the document takes. */
export function validValue(schema: Schema, random: Random): unknown {
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return random.pick(schema.enum);
  const branches = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (branches !== undefined) return validValue(random.pick(branches), random);
  if (Array.isArray(schema.allOf)) return validValue(Object.assign({}, ...(schema.allOf as object[])) as Schema, random);
  switch (schema.type) {
    case 'object':
      return objectOf(schema, random);
    case 'array':
      return Array.from({ length: Number(schema.minItems ?? 0) + random.below(4) }, () => validValue(schema.items as Schema, random));
    case 'integer':
      return integerOf(schema, random);
    case 'boolean':
      return random.chance(0.5);
    case 'null':
      return null;
    case 'string':
      return stringOf(schema, random);
    default:
      throw new Error(`no value is known for ${JSON.stringify(schema)}`);
  }
}

function objectOf({ properties = {}, required = [], maxProperties, minProperties = 0 }: Schema, random: Random): unknown {
  const all = Object.entries(properties as Readonly<Record<string, Schema>>);
  const needed = all.filter(([name]) => (required as readonly string[]).includes(name));
  const others = all.filter((entry) => !needed.includes(entry)).sort(() => random.next() - 0.5);
  const least = Math.max(0, Number(minProperties) - needed.length);
  const most = Math.min(others.length, Number(maxProperties ?? Infinity) - needed.length);
  const count = random.chance(0.5) ? most : least + random.below(most - least + 1);
  const chosen = [...needed, ...others.slice(0, count)];
  return Object.fromEntries(chosen.map(([name, schema]) => [name, validValue(schema, random)]));
}

function integerOf({ minimum = 0, maximum = 1_000_000 }: Schema, random: Random): number {
  const [least, most] = [Number(minimum), Number(maximum)];
  return random.pick([least, most, least + random.below(most - least + 1), least + random.below(Math.min(10, most - least + 1))]);
}

function stringOf({ format, pattern, minLength = 0, maxLength = 100 }: Schema, random: Random): string {
  if (format === 'uuid') return randomUUID();
  if (format === 'date-time') return new Date(Date.now() - Math.floor(random.next() * YEAR_MS)).toISOString();
  if (typeof pattern === 'string') return textOfPattern(pattern, random);
  const [least, most] = [Number(minLength), Number(maxLength)];
  const text = random.chance(0.1) ? '长'.repeat(most) : random.pick(TEXTS);
  return text.padEnd(least, 'x').slice(0, most).toWellFormed();
}
