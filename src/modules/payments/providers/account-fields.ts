import { ConfigError } from '../../../contracts/errors.ts';
import type { AccountFields } from './provider.ts';

/** Reading of the accounts file. Messages name the field and what it must be, never its value: it may be a secret. */
export function fieldsOf(value: unknown, path: string): AccountFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigError(`${path} must be an object`);
  return { ...value, path };
}

export function textField(fields: AccountFields, name: string, pattern: RegExp, mustBe: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || !pattern.test(value)) throw new ConfigError(`${fields.path}.${name} must be ${mustBe}`);
  return value;
}

export function optionalTextField(fields: AccountFields, name: string, pattern: RegExp, mustBe: string): string | null {
  return fields[name] === undefined || fields[name] === null ? null : textField(fields, name, pattern, mustBe);
}

export function listField(fields: AccountFields, name: string): AccountFields[] {
  const value = fields[name];
  if (!Array.isArray(value) || value.length === 0) throw new ConfigError(`${fields.path}.${name} must be a list with at least one entry`);
  return value.map((entry, index) => fieldsOf(entry, `${fields.path}.${name}[${index}]`));
}

/** Catches misspelt names: a `notafter` that is silently ignored would keep a revoked key alive. */
export function refuseUnknownFields(fields: AccountFields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => name !== 'path' && !known.includes(name));
  if (unknown !== undefined) throw new ConfigError(`${fields.path}.${unknown} is not a known field; known are ${known.join(', ')}`);
}
