import type { TextDecoder as Decoder } from 'node:util';

/**
 * Strict reader of `application/x-www-form-urlencoded` bytes. Ordinary form parsers repair what they are given (keep the
 * last of two equal names, pass broken escapes on, replace bytes that the charset does not have), and each repair is a way
 * to show the signature check other values than the ones that are used. Here each name and value is decoded exactly once,
 * and anything out of the ordinary is refused. What a value holds is the merchant's business.
 */
export type FormReading =
  | { readonly outcome: 'read'; readonly fields: readonly FormField[] }
  | { readonly outcome: 'malformed' }
  | { readonly outcome: 'charset-unsupported' };

/** One parameter, in the order of the form. Names are unique and never empty. */
export interface FormField {
  readonly name: string;
  readonly value: string;
  /** `name=value` as it came, one character for each byte: Node can decode GBK, but not encode it. */
  readonly bytes: string;
}

/** A trade's notice has about 30 parameters, a notice with a merchant's own up to a hundred; what is longer is none. */
const FIELDS_MAX = 500;
/** Anything but characters that a form encoder leaves as they are, and escapes. A search, so that a long body costs no stack. */
const NOT_ENCODED = /[^A-Za-z0-9*._~!'()@:,;$/?=+%-]|%(?![0-9A-Fa-f]{2})/;
/**
 * What Alipay writes in, under every label that a decoder knows: GBK and GB2312 are one decoder. In all of them `&` and `=`
 * are never a part of another character, and ASCII is nothing but itself: where fields begin and end, and what the ids,
 * amounts and times in them say, does not depend on the charset that a message names for itself.
 */
const ENCODINGS: ReadonlySet<string> = new Set(['utf-8', 'gbk', 'gb18030']);
const DEFAULT_CHARSET = 'utf-8';

export function readForm(body: Buffer): FormReading {
  const parts = splitUpTo(body.toString('latin1'), FIELDS_MAX);
  const pairs = parts?.map(unescapePair);
  if (pairs === undefined || !pairs.every((pair) => pair !== null)) return { outcome: 'malformed' };
  const decoder = decoderFor(pairs.find(([name]) => name === 'charset')?.[1] ?? '');
  if (decoder === null) return { outcome: 'charset-unsupported' };
  const fields = pairs.map((pair) => decodePair(pair, decoder));
  if (!fields.every((field) => field !== null)) return { outcome: 'malformed' };
  if (new Set(fields.map(({ name }) => name)).size !== fields.length) return { outcome: 'malformed' };
  return { outcome: 'read', fields };
}

/** @returns null when there are more than `max` parts; they are not made then. */
function splitUpTo(text: string, max: number): string[] | null {
  const parts = text.split('&', max + 1);
  return parts.length > max ? null : parts;
}

type Pair = readonly [name: string, value: string];

/** Name and value as bytes, one character for each; null for what is no pair. */
function unescapePair(part: string): Pair | null {
  const split = part.indexOf('=');
  if (split < 1 || NOT_ENCODED.test(part)) return null;
  return [unescapeBytes(part.slice(0, split)), unescapeBytes(part.slice(split + 1))];
}

function unescapeBytes(text: string): string {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === PERCENT) {
      bytes[length++] = Number.parseInt(text.slice(index + 1, index + 3), 16);
      index += 2;
    } else {
      bytes[length++] = char === PLUS ? SPACE : char;
    }
  }
  return bytes.toString('latin1', 0, length);
}

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** An empty charset is none. @returns null for a charset that Alipay does not write in. */
function decoderFor(charset: string): Decoder | null {
  try {
    const decoder = new TextDecoder(charset === '' ? DEFAULT_CHARSET : charset, { fatal: true, ignoreBOM: true });
    return ENCODINGS.has(decoder.encoding) ? decoder : null;
  } catch {
    return null;
  }
}

function decodePair([name, value]: Pair, decoder: Decoder): FormField | null {
  try {
    return { name: decoder.decode(Buffer.from(name, 'latin1')), value: decoder.decode(Buffer.from(value, 'latin1')), bytes: `${name}=${value}` };
  } catch {
    return null;
  }
}
