import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';

export interface RsaPublicKey {
  readonly key: KeyObject;
  /** Null when the key came without one. */
  readonly certificate: X509Certificate | null;
}

/** Both Chinese providers use 2048 bits; anything below can be forged. */
const MODULUS_BITS_MIN = 2048;

/**
 * Reads a key as providers hand them out: bare Base64 (SPKI), PEM, or inside a PEM certificate.
 * @returns null for anything else: OpenSSL's own message would not help whoever edits the accounts file.
 */
export function readRsaPublicKey(text: string): RsaPublicKey | null {
  try {
    const found = keyIn(text.trim());
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = found.key;
    return type === 'rsa' && (details?.modulusLength ?? 0) >= MODULUS_BITS_MIN ? found : null;
  } catch {
    return null;
  }
}

function keyIn(text: string): RsaPublicKey {
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) {
    const certificate = new X509Certificate(text);
    return { key: certificate.publicKey, certificate };
  }
  // A private key in this place would be accepted by OpenSSL, which takes the public half of it.
  if (text.startsWith('-----BEGIN') && !text.includes('PRIVATE KEY')) return { key: createPublicKey(text), certificate: null };
  return { key: createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' }), certificate: null };
}
