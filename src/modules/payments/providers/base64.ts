/**
 * Decodes standard Base64 and nothing else. Node's own decoder skips what it does not know and drops spare bits, so many
 * texts would pass for one signature. @returns null when `text` is not the one way to write its bytes.
 */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** The same for a key that a person pastes: many tools print it without its padding. */
export function decodeUnpaddedBase64(text: string): Buffer | null {
  return decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='));
}
