import { ConfigError } from '../../contracts/errors.ts';
import { fieldsOf, listField, textField } from './providers/account-fields.ts';
import type { ProviderAccount } from './providers/provider.ts';
import { providersByName } from './providers/registry.ts';

export interface ProviderAccounts {
  find(provider: string, account: string): ProviderAccount | null;
  list(): readonly ProviderAccount[];
}

/** One path segment, one part of a stream's name. */
const ACCOUNT_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/**
 * Reads the accounts file:
 *
 *     { "accounts": [
 *       { "provider": "standard", "account": "main", "keys": [{ "id": "2026-11", "secret": "whsec_…", "notAfter": "2027-02-01T00:00:00Z" }] },
 *       { "provider": "alipay", "account": "main", "appId": "2021…", "sellerId": "2088…", "keys": [{ "id": "a", "publicKey": "MIIB…" }] }
 *     ] }
 *
 * @throws ConfigError naming the field, never its value.
 */
export function readProviderAccounts(text: string): ProviderAccounts {
  const file = fieldsOf(parse(text), 'provider accounts');
  const accounts = new Map<string, ProviderAccount>();
  for (const fields of listField(file, 'accounts')) {
    const known = [...providersByName.keys()];
    const provider = providersByName.get(textField(fields, 'provider', /./, `one of ${known.join(', ')}`));
    if (provider === undefined) throw new ConfigError(`${fields.path}.provider must be one of ${known.join(', ')}`);
    const account = textField(fields, 'account', ACCOUNT_NAME, 'up to 32 lower-case letters, digits, hyphens or underscores');
    const path = pathOf(provider.name, account);
    if (accounts.has(path)) throw new ConfigError(`${fields.path}.account names ${path} a second time`);
    accounts.set(path, provider.readAccount(account, fields));
  }
  return {
    find: (provider, account) => accounts.get(pathOf(provider, account)) ?? null,
    list: () => [...accounts.values()],
  };
}

function pathOf(provider: string, account: string): string {
  return `${provider}/${account}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds secrets.
    throw new ConfigError('provider accounts must be a JSON document');
  }
}
