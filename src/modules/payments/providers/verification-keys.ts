import { ConfigError } from '../../../contracts/errors.ts';
import { listField, optionalTextField, refuseUnknownFields, textField } from './account-fields.ts';
import type { AccountFields } from './provider.ts';

/** One of an account's keys. During a rotation several are active; the provider may sign with any of them. */
export interface VerificationKey<K> {
  readonly id: string;
  readonly key: K;
  /** Last moment at which the key is believed; null = no end. */
  readonly notAfter: Date | null;
}

/** Verification tries every active key, so an account with many would be slow to refuse. */
const KEYS_MAX = 10;
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

/** @param read makes the key of one entry; it is called once, so that verification works on ready key objects. */
export function readKeys<K>(fields: AccountFields, keyFields: readonly string[], read: (entry: AccountFields) => K, list = 'keys'): VerificationKey<K>[] {
  const entries = listField(fields, list);
  if (entries.length > KEYS_MAX) throw new ConfigError(`${fields.path}.${list} must hold at most ${KEYS_MAX} entries`);
  const keys = entries.map((entry) => {
    refuseUnknownFields(entry, ['id', 'notAfter', ...keyFields]);
    const id = textField(entry, 'id', KEY_ID, 'letters, digits, dot, underscore or hyphen');
    return { id, notAfter: readInstant(entry, 'notAfter'), key: read(entry) };
  });
  if (new Set(keys.map(({ id }) => id)).size !== keys.length) throw new ConfigError(`${fields.path}.${list} names an id twice`);
  return keys;
}

export function activeAt<K>(keys: readonly VerificationKey<K>[], now: Date): VerificationKey<K>[] {
  return keys.filter(({ notAfter }) => notAfter === null || now <= notAfter);
}

function readInstant(fields: AccountFields, name: string): Date | null {
  const mustBe = 'a time like 2027-01-31T00:00:00Z';
  const text = optionalTextField(fields, name, INSTANT, mustBe);
  if (text === null) return null;
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) throw new ConfigError(`${fields.path}.${name} must be ${mustBe}`);
  return instant;
}
