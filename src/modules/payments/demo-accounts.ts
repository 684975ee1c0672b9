import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { SigningKey } from './providers/sign-success.ts';

/**
 * Accounts with fresh keys for an installation that has none configured, and the providers' side of the keys, with which
 * the demo signs. Both are plain JSON; both are secret.
 */
export interface DemoAccounts {
  /** Content of an accounts file for `readProviderAccounts`. */
  readonly accountsFile: { readonly accounts: readonly object[] };
  readonly signingKeys: readonly SigningKey[];
}

const DEMO_ACCOUNT = 'demo';
/** Made up, in the format of the real numbers. */
const DEMO_APP_ID = '2021000000000001';
const DEMO_SELLER_ID = '2088000000000001';
const SECRET_BYTES = 32;

export async function generateDemoAccounts(): Promise<DemoAccounts> {
  const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const account = DEMO_ACCOUNT;
  const merchant = { appId: DEMO_APP_ID, sellerId: DEMO_SELLER_ID };
  return {
    accountsFile: {
      accounts: [
        { provider: 'standard', account, keys: [{ id: 'demo', secret }] },
        { provider: 'alipay', account, ...merchant, keys: [{ id: 'demo', publicKey: publicKey.toString('base64') }] },
      ],
    },
    signingKeys: [
      { provider: 'standard', account, secret },
      { provider: 'alipay', account, ...merchant, privateKey },
    ],
  };
}
