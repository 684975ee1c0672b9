import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { SigningKey } from './providers/sign-notification.ts';

/**
 * Accounts with fresh keys for an installation that has none configured, and the providers' side of the keys, with which
 * the demo signs. Both are plain JSON; both are secret.
 */
export interface DemoAccounts {
  /** Content of an accounts file for `readProviderAccounts`. */
  readonly accountsFile: { readonly accounts: readonly object[] };
  readonly signingKeys: readonly SigningKey[];
}

interface DemoAccount<P extends SigningKey['provider']> {
  readonly entry: object;
  readonly signingKey: SigningKey & { readonly provider: P };
}

const account = 'demo';
const KEY_ID = 'demo';
const SECRET_BYTES = 32;
/** Made up, in the format of the real numbers. */
const ALIPAY_MERCHANT = { appId: '2021000000000001', sellerId: '2088000000000001' };
const WECHATPAY_MERCHANT = { appId: 'wx0000000000000001', mchid: '1900000001' };
const WECHATPAY_SERIAL = 'PUB_KEY_ID_0119000000012026112400000000000001';
const API_V3_KEY_BYTES = 16;

const GENERATORS: { readonly [P in SigningKey['provider']]: () => Promise<DemoAccount<P>> } = {
  async standard() {
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
    return { entry: { provider: 'standard', account, keys: [{ id: KEY_ID, secret }] }, signingKey: { provider: 'standard', account, secret } };
  },
  async alipay() {
    const { publicKey, privateKey } = await generateRsaKeys();
    return {
      entry: { provider: 'alipay', account, ...ALIPAY_MERCHANT, keys: [{ id: KEY_ID, publicKey }] },
      signingKey: { provider: 'alipay', account, ...ALIPAY_MERCHANT, privateKey },
    };
  },
  async wechatpay() {
    const { publicKey, privateKey } = await generateRsaKeys();
    // In hex, because the key is a text of 32 characters.
    const apiV3Key = randomBytes(API_V3_KEY_BYTES).toString('hex');
    const keys = [{ id: KEY_ID, serial: WECHATPAY_SERIAL, publicKey }];
    return {
      entry: { provider: 'wechatpay', account, ...WECHATPAY_MERCHANT, keys, apiV3Keys: [{ id: KEY_ID, key: apiV3Key }] },
      signingKey: { provider: 'wechatpay', account, ...WECHATPAY_MERCHANT, serial: WECHATPAY_SERIAL, privateKey, apiV3Key },
    };
  },
  async stripe() {
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString('hex')}`;
    const livemode = false;
    return { entry: { provider: 'stripe', account, livemode, keys: [{ id: KEY_ID, secret }] }, signingKey: { provider: 'stripe', account, secret, livemode } };
  },
};
const PROVIDERS = Object.keys(GENERATORS) as SigningKey['provider'][];

export async function generateDemoAccounts(providers: readonly SigningKey['provider'][] = PROVIDERS): Promise<DemoAccounts> {
  const made = await Promise.all(providers.map((provider) => GENERATORS[provider]()));
  return { accountsFile: { accounts: made.map(({ entry }) => entry) }, signingKeys: made.map(({ signingKey }) => signingKey) };
}

/**
 * Adds the accounts of the providers that were not there yet when the files were generated; what is in them stays as it is.
 * @param accountsText and
 * @param signingKeysText content of the files.
 * @returns null when there is nothing to add, or when the files are not what was generated: then they are somebody's own.
 */
export async function completeDemoAccounts(accountsText: string, signingKeysText: string): Promise<DemoAccounts | null> {
  const accounts = listOfObjects((parse(accountsText) as { accounts?: unknown } | null)?.accounts);
  const signingKeys = listOfObjects(parse(signingKeysText));
  if (accounts === null || signingKeys === null || !accounts.some(isDemo)) return null;
  const missing = PROVIDERS.filter((provider) => !accounts.some((entry) => isDemo(entry) && entry.provider === provider));
  if (missing.length === 0) return null;
  const added = await generateDemoAccounts(missing);
  // A key without its account is left from a start that was cut off between the two files.
  const kept = signingKeys.filter((key) => !(isDemo(key) && missing.some((provider) => provider === key.provider)));
  return {
    accountsFile: { accounts: [...accounts, ...added.accountsFile.accounts] },
    signingKeys: [...(kept as unknown as readonly SigningKey[]), ...added.signingKeys],
  };
}

type Entry = Readonly<Record<string, unknown>>;

function isDemo(entry: Entry): boolean {
  return entry.account === account;
}

function listOfObjects(value: unknown): readonly Entry[] | null {
  const isList = Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === 'object' && entry !== null);
  return isList ? (value as readonly Entry[]) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function generateRsaKeys(): Promise<{ publicKey: string; privateKey: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  return { publicKey: publicKey.toString('base64'), privateKey };
}
