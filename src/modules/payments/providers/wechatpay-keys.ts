import { createSecretKey, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import { optionalTextField, textField } from './account-fields.ts';
import type { AccountFields } from './provider.ts';
import { readRsaPublicKey } from './rsa-public-key.ts';
import { readKeys, type VerificationKey } from './verification-keys.ts';

/** A key that WeChat Pay signs with: its public key (since 2024) or the key of a platform certificate (before). */
export interface PlatformKey extends VerificationKey<KeyObject> {
  /** What `Wechatpay-Serial` says: `PUB_KEY_ID_…`, or the certificate's serial number. */
  readonly serial: string;
}

const SERIAL = /^(?:PUB_KEY_ID_[0-9A-Za-z]{1,64}|[0-9A-Fa-f]{1,64})$/;
/** AES-256. Some old test keys have 16 bytes, which would silently be AES-128. */
const API_V3_KEY = /^[\x21-\x7e]{32}$/;

/** Reads `keys` of an account: `{ id, serial, publicKey, notAfter? }`; a certificate brings its serial number along. */
export function readPlatformKeys(fields: AccountFields): ReadonlyMap<string, PlatformKey> {
  const keys = readKeys(fields, ['serial', 'publicKey'], readPlatformKey).map(({ id, key: { key, serial, endsAt }, notAfter }) => ({
    id,
    serial,
    key,
    notAfter: earlier(notAfter, endsAt),
  }));
  const bySerial = new Map(keys.map((key) => [key.serial, key]));
  if (bySerial.size !== keys.length) throw new ConfigError(`${fields.path}.keys names a serial twice`);
  return bySerial;
}

/** Reads `apiV3Keys`: `{ id, key, notAfter? }`. During a rotation the old and the new one are both listed. */
export function readApiV3Keys(fields: AccountFields): VerificationKey<KeyObject>[] {
  const read = (entry: AccountFields): KeyObject =>
    createSecretKey(Buffer.from(textField(entry, 'key', API_V3_KEY, 'the APIv3 key: exactly 32 letters or digits'), 'latin1'));
  return readKeys(fields, ['key'], read, 'apiV3Keys');
}

function readPlatformKey(fields: AccountFields): { key: KeyObject; serial: string; endsAt: Date | null } {
  // The merchant's own certificate is the usual mistake: the configuration would be accepted, and every payment refused.
  const mustBe = "WeChat Pay's RSA public key (Base64 or PEM) or platform certificate (PEM), not the merchant's own";
  const found = readRsaPublicKey(textField(fields, 'publicKey', /./, mustBe));
  if (found === null) throw new ConfigError(`${fields.path}.publicKey must be ${mustBe}`);
  const serialMustBe = 'PUB_KEY_ID_ and the id of the public key, or the serial number of the platform certificate';
  const ofCertificate = found.certificate?.serialNumber.toUpperCase() ?? null;
  const written = optionalTextField(fields, 'serial', SERIAL, serialMustBe);
  const serial = written === null ? ofCertificate : normal(written);
  if (serial === null || (ofCertificate !== null && serial !== ofCertificate)) throw new ConfigError(`${fields.path}.serial must be ${serialMustBe}`);
  return { key: found.key, serial, endsAt: found.certificate?.validToDate ?? null };
}

/** Serial numbers are sent in upper case; tools print them in either. */
function normal(serial: string): string {
  return serial.startsWith('PUB_KEY_ID_') ? serial : serial.toUpperCase();
}

function earlier(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}
