import { ConfigError } from '../../../contracts/errors.ts';
import type { Claims } from '../../../contracts/payment-notifications.ts';
import { optionalTextField, textField } from './account-fields.ts';
import type { AccountFields } from './provider.ts';

/** The settings that say whose account it is, in either of two modes. */
const DIRECT_FIELDS = ['mchid', 'appId'];
const SERVICE_PROVIDER_FIELDS = ['spMchid', 'subMchid', 'spAppId', 'subAppId'];
export const MERCHANT_FIELDS: readonly string[] = [...DIRECT_FIELDS, ...SERVICE_PROVIDER_FIELDS];

const MCHID = /^\d{1,32}$/;
const APP_ID = /^[A-Za-z0-9_-]{1,32}$/;
const MCHID_MUST_BE = "the merchant's number, as text";
const APP_ID_MUST_BE = "the app's id, wx…";

/**
 * Reads what notifications for the account must claim. A merchant with a contract of its own has `mchid` and may have
 * `appId`; one below a service provider has `spMchid` and `subMchid` and may have `spAppId` and `subAppId`. An app id that
 * is left out is not checked: a merchant may be paid through several apps.
 * @throws ConfigError for both, neither or half of one.
 */
export function readMerchant(fields: AccountFields): Claims {
  const isSet = (name: string): boolean => fields[name] !== undefined && fields[name] !== null;
  const ofServiceProvider = SERVICE_PROVIDER_FIELDS.find(isSet);
  const direct = DIRECT_FIELDS.find(isSet);
  if (direct !== undefined && ofServiceProvider !== undefined) {
    throw new ConfigError(`${fields.path}.${ofServiceProvider} cannot stand beside ${direct}: it is either ${DIRECT_FIELDS.join(' and ')}, or ${SERVICE_PROVIDER_FIELDS.join(', ')}`);
  }
  if (ofServiceProvider === undefined) {
    const mchid = textField(fields, 'mchid', MCHID, `${MCHID_MUST_BE}; below a service provider, spMchid and subMchid stand in its place`);
    return { mchid, ...optionalAppId(fields, 'appId') };
  }
  const [spMchid, subMchid] = ['spMchid', 'subMchid'].map((name) => textField(fields, name, MCHID, MCHID_MUST_BE)) as [string, string];
  return { spMchid, subMchid, ...optionalAppId(fields, 'spAppId'), ...optionalAppId(fields, 'subAppId') };
}

function optionalAppId(fields: AccountFields, name: 'appId' | 'spAppId' | 'subAppId'): Claims {
  const appId = optionalTextField(fields, name, APP_ID, APP_ID_MUST_BE);
  return appId === null ? {} : { [name]: appId };
}
