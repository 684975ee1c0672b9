import { randomBytes } from 'node:crypto';
import { chmod, link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { ConfigError } from '../../contracts/errors.ts';
import { hashToken, type TokenHashes } from './token-check.ts';

/** Plaintexts by kind and name. The only place on disk that holds them; readable by its owner alone. */
const TokenFile = Type.Object({
  admin: Type.Record(Type.String(), Type.String({ minLength: 1 })),
  service: Type.Record(Type.String(), Type.String({ minLength: 1 })),
});
type TokenFile = Static<typeof TokenFile>;

const FILE_NAME = 'tokens.json';
const OWNER_ONLY = 0o600;
const TOKEN_BYTES = 32;
/** Names of the generated tokens: they appear as the actor of what was done with them. */
const GENERATED_NAMES = { admin: 'operator', service: 'shop' } as const;

export interface LoadedTokens {
  readonly hashes: TokenHashes;
  /** To be shown at start; null where tokens come from the environment, of which only hashes are known. */
  readonly shown: { readonly admin: string | null; readonly service: string | null };
}

interface ConfiguredTokens {
  readonly adminTokens: ReadonlyMap<string, string> | null;
  readonly serviceTokens: ReadonlyMap<string, string> | null;
}

/**
 * Tokens of the environment where there are any, otherwise those of `{dataDirectory}/tokens.json`, which are generated
 * once. The directory must exist.
 * @throws ConfigError when the file is there and cannot be read as tokens: replacing it would lock everybody out unasked.
 */
export async function loadOrCreateTokens(dataDirectory: string, config: ConfiguredTokens): Promise<LoadedTokens> {
  const { adminTokens, serviceTokens } = config;
  if (adminTokens !== null && serviceTokens !== null) {
    return { hashes: { admin: adminTokens, service: serviceTokens }, shown: { admin: null, service: null } };
  }
  const file = await readOrCreate(join(dataDirectory, FILE_NAME));
  return {
    hashes: { admin: adminTokens ?? hashesOf(file.admin), service: serviceTokens ?? hashesOf(file.service) },
    shown: {
      admin: adminTokens === null ? (Object.values(file.admin)[0] ?? null) : null,
      service: serviceTokens === null ? (Object.values(file.service)[0] ?? null) : null,
    },
  };
}

async function readOrCreate(path: string): Promise<TokenFile> {
  const existing = await read(path);
  if (existing !== null) return existing;
  await create(path, {
    admin: { [GENERATED_NAMES.admin]: generate('admin') },
    service: { [GENERATED_NAMES.service]: generate('service') },
  });
  // Read back: of two processes that start at once, the file of the first counts for both.
  const created = await read(path);
  if (created === null) throw new ConfigError(`${path} vanished while it was being written. Start again.`);
  return created;
}

async function read(path: string): Promise<TokenFile | null> {
  try {
    const text = await readFile(path, 'utf8');
    await chmod(path, OWNER_ONLY);
    return Value.Parse(TokenFile, JSON.parse(text));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ConfigError(
      `${path} cannot be read as tokens. Restore it, or remove it so that new tokens are generated (the old ones stop working), ` +
        'or set PAYNOTIFY_ADMIN_TOKENS and PAYNOTIFY_SERVICE_TOKENS.',
      { cause: error },
    );
  }
}

/** Written whole to a side file, made durable, then linked to its name: a crash leaves no half file, a rival's file stays. */
async function create(path: string, content: TokenFile): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(draft, 'wx', OWNER_ONLY);
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}

/** The prefix tells a person and a secret scanner what was leaked. */
function generate(kind: 'admin' | 'service'): string {
  return `paynotify_${kind}_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}

function hashesOf(tokens: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(tokens).map(([name, token]) => [name, hashToken(token)]));
}
