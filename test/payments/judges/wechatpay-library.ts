import { Aes, Formatter, Rsa } from 'wechatpay-axios-plugin';
import { API_V3_KEYS, SIGNERS } from './wechatpay-cases.ts';
import type { SentNotice } from './wechatpay-signer.ts';

/** wechatpay-axios-plugin, used as its README shows it for notifications. */

/** With the key that the serial names: choosing it is left to the library's caller. */
export function libraryVerifies({ headers, body }: SentNotice): boolean {
  const signer = SIGNERS.find(({ serial }) => serial === headers['wechatpay-serial']);
  const message = Formatter.response(headers['wechatpay-timestamp'] ?? '', headers['wechatpay-nonce'] ?? '', body.toString());
  return signer !== undefined && Rsa.verify(message, headers['wechatpay-signature'] ?? '', signer.publicKey);
}

/** @returns the plaintext, by whichever key opens it. @throws what the library throws when none does. */
export function libraryOpens(body: Buffer): string {
  const { ciphertext, nonce, associated_data: associatedData } = JSON.parse(body.toString()).resource;
  try {
    return Aes.AesGcm.decrypt(ciphertext, API_V3_KEYS[0].key, nonce, associatedData);
  } catch {
    return Aes.AesGcm.decrypt(ciphertext, API_V3_KEYS[1].key, nonce, associatedData);
  }
}

export function libraryTakes(sent: SentNotice): boolean {
  try {
    return libraryVerifies(sent) && libraryOpens(sent.body) !== '';
  } catch {
    return false;
  }
}
