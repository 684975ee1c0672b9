/** Ids and words of providers have 128 characters at most; what is longer is cut. */
export const TEXT_LENGTH_MAX = 128;

/** @returns the text as PostgreSQL can store it: without NUL and halves of surrogate pairs, and not too long. */
export function storableText(text: string | null): string | null {
  return text === null ? null : text.slice(0, TEXT_LENGTH_MAX).replaceAll('\u0000', '\ufffd').toWellFormed();
}
