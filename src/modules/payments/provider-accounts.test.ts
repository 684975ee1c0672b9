import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../contracts/errors.ts';
import { completeDemoAccounts, generateDemoAccounts } from './demo-accounts.ts';
import { readProviderAccounts } from './provider-accounts.ts';
import { signSuccess } from './providers/sign-notification.ts';

const SECRET = `whsec_${'A'.repeat(42)}A=`;
const standard = { provider: 'standard', account: 'main', keys: [{ id: 'k', secret: SECRET }] };
const alipay = { provider: 'alipay', account: 'main', appId: '1', keys: [{ id: 'k', publicKey: 'x' }] };
const withKey = (key: object) => ({ ...standard, keys: [{ id: 'k', secret: SECRET, ...key }] });

describe('the accounts file', () => {
  it('is read into accounts that are found by provider and name', () => {
    const accounts = readProviderAccounts(JSON.stringify({ accounts: [standard, { ...standard, account: 'second' }] }));
    expect(accounts.find('standard', 'second')).toMatchObject({ provider: 'standard', account: 'second' });
    expect(accounts.find('standard', 'third')).toBeNull();
    expect(accounts.find('alipay', 'main')).toBeNull();
    expect(accounts.list()).toHaveLength(2);
  });

  it.each([
    ['no JSON', '{', 'must be a JSON document'],
    ['a list', [], 'provider accounts must be an object'],
    ['no accounts', {}, 'provider accounts.accounts must be a list'],
    ['an empty list', { accounts: [] }, 'provider accounts.accounts must be a list with at least one entry'],
    ['an unknown provider', { accounts: [{ ...standard, provider: 'paypal' }] }, 'accounts[0].provider must be one of standard, alipay, wechatpay, stripe'],
    ['an account name that is no path segment', { accounts: [{ ...standard, account: 'a/b' }] }, 'accounts[0].account must be up to 32'],
    ['an account twice', { accounts: [standard, standard] }, 'accounts[1].account names standard/main a second time'],
    ['no keys', { accounts: [{ ...standard, keys: undefined }] }, 'accounts[0].keys must be a list'],
    ['a key id twice', { accounts: [{ ...standard, keys: [...standard.keys, ...standard.keys] }] }, 'accounts[0].keys names an id twice'],
    ['eleven keys', { accounts: [{ ...standard, keys: Array.from({ length: 11 }, (_, n) => ({ id: `k${n}`, secret: SECRET })) }] }, 'at most 10'],
    ['a secret that is too short', { accounts: [withKey({ secret: 'whsec_AAAA' })] }, 'accounts[0].keys[0].secret must be whsec_'],
    ['a secret that is no Base64', { accounts: [withKey({ secret: '-'.repeat(43) })] }, 'accounts[0].keys[0].secret must be whsec_'],
    ['a public key of the wrong length', { accounts: [withKey({ publicKey: 'whpk_AAAA' })] }, 'accounts[0].keys[0].publicKey must be whpk_'],
    ['a notAfter that is no time', { accounts: [withKey({ notAfter: 'tomorrow' })] }, 'accounts[0].keys[0].notAfter must be a time'],
    ['a misspelt name', { accounts: [withKey({ notafter: '2027-01-01T00:00:00Z' })] }, 'accounts[0].keys[0].notafter is not a known field'],
    ['an RSA key that is none', { accounts: [alipay] }, "accounts[0].keys[0].publicKey must be Alipay's RSA public key"],
    ['no app id', { accounts: [{ ...alipay, appId: undefined }] }, "accounts[0].appId must be the app's number"],
  ])('is refused with %s, and the message names the field', (_what, content, words) => {
    const read = () => readProviderAccounts(typeof content === 'string' ? content : JSON.stringify(content));
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(words);
  });

  it('never shows a secret in a message', () => {
    const secret = 'whsec_hunter2hunter2';
    for (const text of [JSON.stringify({ accounts: [withKey({ secret })] }), `{"secret":"${secret}"`]) {
      expect(() => readProviderAccounts(text)).not.toThrow(/hunter2/);
      expect(() => readProviderAccounts(text)).toThrow(ConfigError);
    }
  });
});

describe('generated demo accounts', () => {
  it('survive being kept as JSON, and accept what their own keys sign', async () => {
    const demo = await generateDemoAccounts();
    const { accountsFile, signingKeys } = JSON.parse(JSON.stringify(demo)) as typeof demo;
    const accounts = readProviderAccounts(JSON.stringify(accountsFile));
    const facts = { payNo: 'p1', tradeNo: 't1', amount: '5', currency: 'CNY', paidAt: new Date(), notificationId: 'n1' };
    for (const key of signingKeys) {
      const webhook = signSuccess(key, facts);
      const verification = accounts.find(key.provider, key.account)?.verify({ headers: webhook.headers, body: Buffer.from(webhook.body) }, new Date());
      expect(verification).toMatchObject({ outcome: 'verified', keyId: expect.stringMatching(/^demo(\+demo)?$/) });
      const reading = verification?.outcome === 'verified' ? verification.read() : null;
      expect(reading).toMatchObject({ outcome: 'read', notifications: [{ kind: 'succeeded', payNo: 'p1', amount: '5' }] });
    }
    expect(JSON.stringify(accountsFile)).not.toContain('PRIVATE');
  });

  it('are one of each provider, with keys of their own', async () => {
    const [first, second] = await Promise.all([generateDemoAccounts(), generateDemoAccounts()]);
    expect(first.signingKeys.map(({ provider }) => provider)).toEqual(['standard', 'alipay', 'wechatpay', 'stripe']);
    const secretOf = (key: object): unknown => ('secret' in key ? key.secret : 'privateKey' in key ? key.privateKey : null);
    const secrets = [...first.signingKeys, ...second.signingKeys].map(secretOf);
    expect(new Set(secrets).size).toBe(8);
    expect(secrets).not.toContain(null);
  });

  it('that are older than a provider are completed, and what was in the files stays', async () => {
    const old = await generateDemoAccounts(['standard', 'alipay']);
    const own = { ...standard, account: 'main' };
    const text = JSON.stringify({ accounts: [own, ...old.accountsFile.accounts] });
    const completed = await completeDemoAccounts(text, JSON.stringify(old.signingKeys));
    expect(completed?.accountsFile.accounts.slice(0, 3)).toEqual([own, ...old.accountsFile.accounts]);
    expect(completed?.signingKeys.slice(0, 2)).toEqual(old.signingKeys);
    const files = [JSON.stringify(completed?.accountsFile), JSON.stringify(completed?.signingKeys)] as const;
    expect(readProviderAccounts(files[0]).list().map(({ provider, account }) => `${provider}/${account}`)).toEqual([
      'standard/main', 'standard/demo', 'alipay/demo', 'wechatpay/demo', 'stripe/demo',
    ]);
    expect(await completeDemoAccounts(...files)).toBeNull();
  });

  it('that a start left without their account are replaced, so that account and key fit', async () => {
    const whole = await generateDemoAccounts();
    const withoutStripe = JSON.stringify({ accounts: whole.accountsFile.accounts.slice(0, 3) });
    const completed = await completeDemoAccounts(withoutStripe, JSON.stringify(whole.signingKeys));
    expect(completed?.signingKeys.map(({ provider }) => provider)).toEqual(['standard', 'alipay', 'wechatpay', 'stripe']);
    expect(completed?.signingKeys[3]).not.toEqual(whole.signingKeys[3]);
    const { secret } = completed?.signingKeys[3] as { secret: string };
    expect(completed?.accountsFile.accounts[3]).toMatchObject({ provider: 'stripe', keys: [{ secret }] });
  });

  it.each([
    ['there are no signing keys', JSON.stringify({ accounts: [{ ...standard, account: 'demo' }] }), ''],
    ['the signing keys were emptied', JSON.stringify({ accounts: [{ ...standard, account: 'demo' }] }), '[]'],
    ['no account is a demo', JSON.stringify({ accounts: [standard] }), '[{"provider":"standard","account":"demo"}]'],
    ['the file is no JSON', '{', '[{"provider":"standard","account":"demo"}]'],
    ['the file is a list', '[]', '[{"provider":"standard","account":"demo"}]'],
  ])('are not added when %s', async (_what, accountsText, signingKeysText) => {
    expect(await completeDemoAccounts(accountsText, signingKeysText)).toBeNull();
  });
});
