import { randomBytes } from 'node:crypto';

/**
 * Text that stands for something personal. All markers of a run begin with one random tag, so that a search for the tag,
 * in every form that text may be stored in, is a search for all of them; what follows the tag says which one it was.
 */
export interface Markers {
  /** A new marker. @param name where it is sent, to be read in a failure. */
  make(name: string): string;
  /** Names of all markers in the text, in whatever form. */
  foundIn(text: string): readonly string[];
}

/** Short, because an error that quotes what it could not read cuts it off. */
const TAG_BYTES = 3;
const NUMBER_DIGITS = 5;
const CONTEXT_CHARACTERS = 30;

export function createMarkers(): Markers {
  // Letters and digits alone stay what they are in a URL, in JSON and in an id.
  const tag = `Pii${randomBytes(TAG_BYTES).toString('hex')}`;
  const names: string[] = [];
  return {
    make(name) {
      names.push(name);
      return `${tag}n${String(names.length - 1).padStart(NUMBER_DIGITS, '0')}`;
    },
    foundIn(text) {
      const whole = new RegExp(`${tag}n(\\d{${NUMBER_DIGITS}})`, 'gi');
      const plain = [...text.matchAll(whole)].map(([, number]) => names[Number(number)] ?? '?');
      const cutOff = contextsOf(text.replaceAll(whole, ''), tag).map((context) => `cut off: ${context}`);
      return [...new Set([...plain, ...cutOff, ...encodedOf(tag).flatMap(([form, needle]) => contextsOf(text, needle).map((context) => `as ${form}: ${context}`))])];
    },
  };
}

/** @returns whether any form of `secret` is in the text: as it is, hex, Base64 at any offset, URL-encoded. */
export function holds(text: string, secret: string): boolean {
  return text.includes(secret) || text.includes(encodeURIComponent(secret)) || encodedOf(secret).some(([, needle]) => text.includes(needle));
}

/** Base64 depends on where in a group of three bytes the text begins; of each only the part that is the text's alone. */
function encodedOf(text: string): readonly (readonly [form: string, needle: string])[] {
  const bytes = Buffer.from(text);
  const atOffset = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replaceAll('=', '');
    return encoded.slice(offset === 0 ? 0 : offset + 1, -1);
  });
  const hex = bytes.toString('hex');
  const asUrl = atOffset.map((needle) => needle.replaceAll('+', '-').replaceAll('/', '_'));
  const needles = new Set([hex, hex.toUpperCase(), ...atOffset, ...asUrl]);
  return [...needles].map((needle) => [needle.toLowerCase() === hex ? 'hex' : 'Base64', needle]);
}

function contextsOf(text: string, needle: string): string[] {
  const at = text.indexOf(needle);
  return at < 0 ? [] : [text.slice(Math.max(0, at - CONTEXT_CHARACTERS), at + needle.length + CONTEXT_CHARACTERS)];
}
