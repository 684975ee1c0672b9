import type { FormField } from './alipay-form.ts';
import { isBlank } from './alipay-signed-text.ts';

/**
 * Where the fields of a signed text begin and end. Values are not escaped inside it, so that one text can be cut into
 * different fields under the same signature: `body=a&refund_fee=1` is one field, or two. A merchant's text may hold
 * anything, often the buyer's words, so a cut is believed only as far as it can be the only one.
 *
 * What is known of genuine notices (Alipay's documentation of the asynchronous notice): names are unique, and hold neither
 * `&` nor `=`. Each names its kind, in either `notify_type` or `msg_method`. The notice of a trade has all of PILLARS. The values
 * of STRICT and LINKS, but for `out_biz_no`, are Alipay's own words and hold no `&`.
 *
 * A name "occurs" in the text wherever it stands with `=` behind it, at the beginning or behind `&`: only there can a field
 * begin. Let the text be genuine as the cut G and received as the cut F.
 *
 * 1. The name of a kind that occurs is a field of F, once, up to the next `&` and no other one, or F is
 *    ambiguous. So both have the same.
 * 2. A pillar that occurs once is a field of G, and of F or F is ambiguous: at the same place, up to the next `&`. It is "sure".
 * 3. A field right behind a sure field of STRICT or LINKS is sure as well: in G that field ends at the same `&`, so that a
 *    field of G begins there, and its name ends at the same `=`. The beginning of the text is sure likewise. A sure name
 *    may occur in other values as often as it likes: names are unique, and this is the one.
 * 4. Any other field that we read occurs once or F is ambiguous, and is "doubtful": G may have it inside another value.
 *    Where G has it as a field it stands behind the same field as in F (else that one were sure in G, and by 1 to 3 in F).
 *    So what is doubtful in F is in G doubtful, or text; reading both as absent reads the same.
 * 5. What is not a field of F, but occurs, makes F ambiguous. So what is absent in F is absent in G.
 *
 * Hence F and G read the same, if whoever reads takes what is doubtful for absent, refuses it, or knows from what is sure
 * that G has it. A field that is empty or blank is absent, wherever it stands.
 */
export interface Boundaries {
  /** By name, without what is blank. */
  readonly sure: ReadonlyMap<string, string>;
  readonly doubtful: ReadonlyMap<string, string>;
}

const KINDS: readonly string[] = ['notify_type', 'msg_method', 'sign_type'];
/** What the notice of every trade carries. */
const PILLARS: ReadonlySet<string> = new Set([
  'app_id', 'charset', 'gmt_create', 'notify_id', 'notify_time', 'notify_type', 'out_trade_no', 'seller_id', 'total_amount', 'trade_no',
]);
const OPTIONAL: readonly string[] = ['gmt_close', 'gmt_payment', 'gmt_refund', 'out_biz_no', 'refund_fee', 'trade_status'];
/** Every name whose place decides about what is read. */
const STRICT: ReadonlySet<string> = new Set([...KINDS, ...PILLARS, ...OPTIONAL]);
const OCCURRENCE = new RegExp(`(?<![^&])(?:${[...STRICT].join('|')})(?==)`, 'g');
/** Names that are not read, but whose values are never a merchant's or buyer's text. */
const LINKS: ReadonlySet<string> = new Set([
  'auth_app_id', 'buyer_id', 'buyer_open_id', 'buyer_pay_amount', 'discount_amount', 'invoice_amount', 'point_amount', 'receipt_amount', 'send_back_fee', 'version',
]);
/** A merchant's number of a refund: it may hold `&`, so that its end is known only where the next field is sure. */
const MERCHANTS_NUMBER = 'out_biz_no';

/** @returns whether the text can only be of the kind that `fields`, in its order, say. */
export function isKindSure(fields: readonly FormField[]): boolean {
  const occurrences = countOccurrences(fields);
  const kinds = new Map(fields.filter(({ name, value }) => KINDS.includes(name) && !value.includes('&')).map(({ name, value }) => [name, value]));
  const isNamed = (kind: string): boolean => !isBlank(kinds.get(kind) ?? '');
  return KINDS.every((kind) => (occurrences.get(kind) ?? 0) === (kinds.has(kind) ? 1 : 0)) && !(isNamed('notify_type') && isNamed('msg_method'));
}

/**
 * @param fields of the signed text, in its order; their kind is sure.
 * @param isTrade whether it is the notice of a trade; only then are its pillars known to be there.
 * @returns null for a text that is ambiguous.
 */
export function findBoundaries(fields: readonly FormField[], isTrade: boolean): Boundaries | null {
  const occurrences = countOccurrences(fields);
  const values = new Map(fields.map(({ name, value }) => [name, value]));
  const sureNames = findSure(fields, occurrences, isTrade);
  const sure = new Map<string, string>();
  const doubtful = new Map<string, string>();
  for (const [name, count] of occurrences) {
    const value = values.get(name);
    if (value === undefined || (!sureNames.has(name) && count !== 1)) return null;
    if (name !== MERCHANTS_NUMBER && value.includes('&')) return null;
    if (!isBlank(value)) (sureNames.has(name) ? sure : doubtful).set(name, value);
  }
  return { sure, doubtful };
}

/** How often each strict name occurs, as a field or inside one; linear in the text. */
function countOccurrences(fields: readonly FormField[]): Map<string, number> {
  const occurrences = new Map<string, number>();
  for (const { name, value } of fields) {
    for (const [found] of `${name}=${value}`.matchAll(OCCURRENCE)) occurrences.set(found, (occurrences.get(found) ?? 0) + 1);
  }
  return occurrences;
}

function findSure(fields: readonly FormField[], occurrences: ReadonlyMap<string, number>, isTrade: boolean): Set<string> {
  const sure = new Set<string>();
  let isBehindSure = true;
  for (const { name, value } of fields) {
    const isUnique = occurrences.get(name) === 1;
    const isPillar = isTrade ? PILLARS.has(name) : KINDS.includes(name);
    const isHere: boolean = (STRICT.has(name) || LINKS.has(name)) && (isBehindSure || (isUnique && isPillar));
    if (isHere) sure.add(name);
    isBehindSure = isHere && name !== MERCHANTS_NUMBER && !value.includes('&');
  }
  if (!isEndSure(fields, sure)) sure.delete(MERCHANTS_NUMBER);
  return sure;
}

/** Of the merchant's number: it holds no `&` itself, and ends where a sure field begins, or the text ends. */
function isEndSure(fields: readonly FormField[], sure: ReadonlySet<string>): boolean {
  const at = fields.findIndex(({ name }) => name === MERCHANTS_NUMBER);
  const next = fields[at + 1];
  return !(fields[at]?.value.includes('&') ?? false) && (next === undefined || sure.has(next.name));
}
