import type { FormField } from './alipay-form.ts';

/** One text that Alipay may have signed, and the fields it is made of, in its order. */
export interface SignedText {
  readonly fields: readonly FormField[];
  readonly bytes: Buffer;
}

/**
 * The texts that a notice may have been signed as: its parameters but `sign` (and `sign_type`), sorted by name and joined as
 * `name=value` with `&`. Alipay's own libraries do not agree about two things, so each is tried both ways:
 *
 * - the bytes: of the charset that the notice came in, or of the decoded text in UTF-8;
 * - values that are empty: kept (Node and PHP libraries), left out (Java), or left out also when they are only blank (Java
 *   4.x). A field that is left out is not signed; whoever reads the notice must take it for absent.
 *
 * @param keeps also `sign_type`: service market and life account sign it, payments do not.
 */
export function* signedTexts(fields: readonly FormField[], keepsSignType: boolean): Generator<SignedText> {
  const signed = fields.filter(({ name }) => name !== 'sign' && (keepsSignType || name !== 'sign_type')).sort(byName);
  let before = -1;
  for (const isLeftOut of LEFT_OUT) {
    const kept = signed.filter(({ value }) => !isLeftOut(value));
    if (kept.length === before) continue;
    before = kept.length;
    yield* inBothCharsets(kept);
  }
}

/** Space as Java's `Character.isWhitespace` knows it: without the no-break spaces. */
const BLANK = /^[\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]*$/;

const LEFT_OUT: readonly ((value: string) => boolean)[] = [() => false, (value) => value === '', isBlank];

export function isBlank(value: string): boolean {
  return BLANK.test(value);
}

function* inBothCharsets(fields: readonly FormField[]): Generator<SignedText> {
  const asItCame = Buffer.from(fields.map(({ bytes }) => bytes).join('&'), 'latin1');
  yield { fields, bytes: asItCame };
  const decoded = Buffer.from(fields.map(({ name, value }) => `${name}=${value}`).join('&'));
  if (!decoded.equals(asItCame)) yield { fields, bytes: decoded };
}

function byName(a: FormField, b: FormField): number {
  return a.name < b.name ? -1 : 1;
}
