import { sign, type KeyLike } from 'node:crypto';
import { signedText } from './alipay.ts';

/** The content type that Alipay really sends, malformed as it is. */
export const ALIPAY_CONTENT_TYPE = 'application/x-www-form-urlencoded; text/html; charset=utf-8';

/** Signs like Alipay. @returns the form body. @param fields without `sign` and `sign_type`. */
export function signAlipay(privateKey: KeyLike, fields: Readonly<Record<string, string>>): string {
  const signature = sign('RSA-SHA256', Buffer.from(signedText(new Map(Object.entries(fields)))), privateKey).toString('base64');
  return new URLSearchParams({ ...fields, sign_type: 'RSA2', sign: signature }).toString();
}
