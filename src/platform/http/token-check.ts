import { createHash, timingSafeEqual } from 'node:crypto';

/** `service`: the shop's backend. `admin`: an operator, by name. */
export type TokenKind = 'service' | 'admin';

/** Name of each token → SHA-256 of the token, lower-case hex. */
export type TokenHashes = Readonly<Record<TokenKind, ReadonlyMap<string, string>>>;

export interface Caller {
  readonly kind: TokenKind;
  readonly name: string;
}

/** @returns whose token this is, or null. */
export type TokenCheck = (token: string) => Caller | null;

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/**
 * A fast hash is enough: the tokens are 32 random bytes, not words that a person chose. All entries are compared, each
 * in constant time, so that the time of a refusal tells nothing about how near a guess was.
 */
export function createTokenCheck(tokens: TokenHashes): TokenCheck {
  const entries = (Object.keys(tokens) as TokenKind[]).flatMap((kind) =>
    [...tokens[kind]].map(([name, hash]) => ({ caller: { kind, name }, digest: Buffer.from(hash, 'hex') })),
  );
  return (token) => {
    const digest = createHash('sha256').update(token).digest();
    let found: Caller | null = null;
    for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry.caller;
    return found;
  };
}
