/**
 * Strict reader of `application/x-www-form-urlencoded` bytes. Ordinary form parsers repair what they are given (keep the
 * last of two equal names, pass broken escapes on, replace bytes that are not UTF-8), and each repair is a way to show
 * the signature check other values than the ones that are used. Here each name and value is decoded exactly once, and
 * anything out of the ordinary is refused.
 */
export type FormReading =
  | { readonly outcome: 'read'; readonly fields: ReadonlyMap<string, string> }
  | { readonly outcome: 'malformed' };

/** A real notification has about 30 parameters. */
const FIELDS_MAX = 100;
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Characters a form encoder leaves as they are, and escapes. */
const ENCODED = /^(?:[A-Za-z0-9*._~!'()@:,;$/?-]|\+|%[0-9A-Fa-f]{2})*$/;
/**
 * A value that could be cut into further parameters. Values are not escaped inside the signed text, so a genuine text
 * can be re-cut into other fields under the same signature; every such forgery hides a real parameter in a value, or
 * names one twice.
 */
const HIDDEN_FIELD = /&[A-Za-z_]\w*=/;

export function readForm(body: Buffer): FormReading {
  const fields = new Map<string, string>();
  const parts = body.toString('latin1').split('&');
  if (parts.length > FIELDS_MAX) return { outcome: 'malformed' };
  for (const part of parts) {
    const split = part.indexOf('=');
    const name = decode(part.slice(0, Math.max(0, split)));
    const value = decode(part.slice(split + 1));
    if (split < 1 || name === null || value === null) return { outcome: 'malformed' };
    if (!FIELD_NAME.test(name) || HIDDEN_FIELD.test(value) || fields.has(name)) return { outcome: 'malformed' };
    fields.set(name, value);
  }
  return { outcome: 'read', fields };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(text: string): string | null {
  if (!ENCODED.test(text)) return null;
  const bytes = Buffer.alloc(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === '%') {
      bytes[length++] = Number.parseInt(text.slice(index + 1, index + 3), 16);
      index += 2;
    } else {
      bytes[length++] = char === '+' ? 0x20 : char.charCodeAt(0);
    }
  }
  try {
    return strictUtf8.decode(bytes.subarray(0, length));
  } catch {
    return null;
  }
}
