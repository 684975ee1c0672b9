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
