import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../contracts/errors.ts';
import { readMerchant } from './wechatpay-merchant.ts';

const read = (fields: object) => readMerchant({ path: 'account', ...fields });

describe('whose a WeChat Pay account is', () => {
  it.each([
    { mchid: '1' },
    { mchid: '1', appId: 'wx1' },
    { spMchid: '1', subMchid: '2' },
    { spMchid: '1', subMchid: '2', spAppId: 'wx1' },
    { spMchid: '1', subMchid: '2', spAppId: 'wx1', subAppId: 'wx2' },
  ])('is told in one of two modes: %j', (fields) => {
    expect(read(fields)).toEqual(fields);
    expect(read({ mchid: null, appId: null, spAppId: null, subAppId: null, ...fields })).toEqual(fields);
  });

  it.each([
    ['nothing', {}, 'account.mchid must be'],
    ['an app alone', { appId: 'wx1' }, 'account.mchid must be'],
    ['a service provider alone', { spMchid: '1' }, 'account.subMchid must be'],
    ['a merchant below a service provider alone', { subMchid: '1' }, 'account.spMchid must be'],
    ['an app of a service provider alone', { spAppId: 'wx1' }, 'account.spMchid must be'],
    ['both modes', { mchid: '1', spMchid: '1', subMchid: '2' }, 'account.spMchid cannot stand beside mchid: it is either mchid and appId, or spMchid, subMchid, spAppId, subAppId'],
    ['a bit of the other mode', { mchid: '1', subAppId: 'wx1' }, 'account.subAppId cannot stand beside mchid'],
    ['the other mode and an app', { appId: 'wx1', spMchid: '1', subMchid: '2' }, 'account.spMchid cannot stand beside appId'],
    ['a merchant that is a number', { mchid: 1 }, 'account.mchid must be'],
    ['a service provider that is no number', { spMchid: 'wx1', subMchid: '2' }, "account.spMchid must be the merchant's number"],
    ['a merchant below it that is no number', { spMchid: '1', subMchid: '' }, "account.subMchid must be the merchant's number"],
    ['an app with a blank', { spMchid: '1', subMchid: '2', subAppId: 'wx 2' }, "account.subAppId must be the app's id"],
  ])('is refused with %s, and the message names the field', (_what, fields, words) => {
    expect(() => read(fields)).toThrow(ConfigError);
    expect(() => read(fields)).toThrow(words);
  });
});
