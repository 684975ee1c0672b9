import { createHash } from 'node:crypto';

/** UUID version 8 (RFC 9562) of a list of parts, encoded as JSON so that no two lists give the same id. It names rows only, and no event. */
export function rowId(parts: readonly string[]): string {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-8$3-8$4-$5');
}
