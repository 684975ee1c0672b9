import { createDecipheriv, type KeyObject } from 'node:crypto';
import { decodeBase64 } from './base64.ts';
import type { VerificationKey } from './verification-keys.ts';

/** The encrypted part of a notification, by WeChat Pay's own names. */
export interface EncryptedResource {
  readonly algorithm: string;
  /** 12 bytes; nothing to do with the nonce in the header. */
  readonly nonce: string;
  readonly associated_data?: string | null;
  /** Base64 of the ciphertext with its tag behind. */
  readonly ciphertext: string;
}

export type Decryption =
  | { readonly outcome: 'decrypted'; readonly keyId: string; readonly plaintext: Buffer }
  | { readonly outcome: 'malformed'; readonly field: 'algorithm' | 'nonce' | 'ciphertext' };

export const RESOURCE_ALGORITHM = 'AEAD_AES_256_GCM';
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** Tries every key: the tag tells whether it is the right one, and a notification does not say which it was made with. */
export function decryptResource(resource: EncryptedResource, keys: readonly VerificationKey<KeyObject>[]): Decryption {
  if (resource.algorithm !== RESOURCE_ALGORITHM) return { outcome: 'malformed', field: 'algorithm' };
  const nonce = Buffer.from(resource.nonce);
  // GCM would take any length, and derive the block to count from in another way.
  if (nonce.length !== NONCE_BYTES) return { outcome: 'malformed', field: 'nonce' };
  const sealed = decodeBase64(resource.ciphertext);
  if (sealed === null || sealed.length <= TAG_BYTES) return { outcome: 'malformed', field: 'ciphertext' };
  const associatedData = Buffer.from(resource.associated_data ?? '');
  for (const { id, key } of keys) {
    const plaintext = open(key, nonce, associatedData, sealed);
    if (plaintext !== null) return { outcome: 'decrypted', keyId: id, plaintext };
  }
  return { outcome: 'malformed', field: 'ciphertext' };
}

function open(key: KeyObject, nonce: Buffer, associatedData: Buffer, sealed: Buffer): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(0, -TAG_BYTES));
  try {
    // Throws when the tag does not fit; until then the plaintext is anybody's.
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    return null;
  }
}
