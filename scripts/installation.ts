import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SigningKey } from '../src/modules/payments/index.ts';
import { SIGNING_KEYS_FILE } from '../src/start.ts';

/** Generated secrets of a paynotify on this machine, for the commands that play its shop and its payment providers. */
export interface Installation {
  readonly signingKeys: readonly SigningKey[];
  readonly serviceToken: string;
  readonly adminToken: string;
}

/** @throws Error when it was not started with this data directory, or not with generated tokens and accounts. */
export async function readInstallation(dataDirectory: string): Promise<Installation> {
  const tokens = (await readJson(dataDirectory, 'tokens.json')) as { service: Record<string, string>; admin: Record<string, string> };
  const signingKeys = (await readJson(dataDirectory, SIGNING_KEYS_FILE)) as SigningKey[];
  return { signingKeys, serviceToken: Object.values(tokens.service)[0] ?? '', adminToken: Object.values(tokens.admin)[0] ?? '' };
}

async function readJson(dataDirectory: string, name: string): Promise<unknown> {
  const path = join(dataDirectory, name);
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} cannot be read. This needs a paynotify started by "npm start" with the same PAYNOTIFY_DATA and generated tokens and accounts.`, { cause: error });
  }
}
