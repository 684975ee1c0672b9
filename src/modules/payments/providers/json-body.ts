import { isUtf8 } from 'node:buffer';
import secureJson from 'secure-json-parse';

/** @returns undefined for anything but a JSON document in UTF-8 without keys that reach an object's prototype. */
export function parseJsonBody(body: Buffer): unknown {
  if (!isUtf8(body)) return undefined;
  try {
    return secureJson.parse(body.toString('utf8'), undefined, { protoAction: 'error', constructorAction: 'error' });
  } catch {
    return undefined;
  }
}

/** A member `id` of the document that is a text: what Stripe and WeChat Pay call a notification by. Null for anything else. */
export function idOfBody(body: Buffer): string | null {
  const document = parseJsonBody(body);
  if (typeof document !== 'object' || document === null || !('id' in document)) return null;
  return typeof document.id === 'string' ? document.id : null;
}
