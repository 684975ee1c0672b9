import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../contracts/errors.ts';
import { generateDemoAccounts } from './demo-accounts.ts';
import { readProviderAccounts } from './provider-accounts.ts';
import { signSuccess } from './providers/sign-success.ts';

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
    ['an unknown provider', { accounts: [{ ...standard, provider: 'paypal' }] }, 'accounts[0].provider must be one of standard, alipay'],
    ['an account name that is no path segment', { accounts: [{ ...standard, account: 'a/b' }] }, 'accounts[0].account must be up to 32'],
    ['an account twice', { accounts: [standard, standard] }, 'accounts[1].account names standard/main a second time'],
    ['no keys', { accounts: [{ ...standard, keys: undefined }] }, 'accounts[0].keys must be a list'],
    ['a key id twice', { accounts: [{ ...standard, keys: [...standard.keys, ...standard.keys] }] }, 'accounts[0].keys names an id twice'],
    ['eleven keys', { accounts: [{ ...standard, keys: Array.from({ length: 11 }, (_, n) => ({ id: `k${n}`, secret: SECRET })) }] }, 'at most 10'],
    ['a secret that is too short', { accounts: [withKey({ secret: 'whsec_AAAA' })] }, 'accounts[0].keys[0].secret must be whsec_'],
    ['a secret without its mark', { accounts: [withKey({ secret: 'A'.repeat(43) })] }, 'accounts[0].keys[0].secret must be whsec_'],
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
      expect(verification).toMatchObject({ outcome: 'verified', keyId: 'demo' });
      const reading = verification?.outcome === 'verified' ? verification.read() : null;
      expect(reading).toMatchObject({ outcome: 'read', notification: { kind: 'succeeded', payNo: 'p1', amount: '5' } });
    }
    expect(JSON.stringify(accountsFile)).not.toContain('PRIVATE');
  });
});
