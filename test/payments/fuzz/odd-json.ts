import type { Random } from '../../harness/random.ts';

/** A text of JSON: the given document with a few members replaced, added, renamed or dropped. It may be no JSON at all. */
export function oddJson(document: unknown, random: Random): string {
  let text = JSON.stringify(change(document, random, 1 + random.below(3)));
  if (random.chance(0.05)) text = text.replace(/\d+/, () => random.pick(['1e400', '-0', '1E2', '01', '0.1', '9007199254740993', 'NaN']));
  if (random.chance(0.03)) text = text.replace('{', '{"__proto__":{"type":"x"},');
  if (random.chance(0.02)) text = `${'[{"data":'.repeat(3_000)}${text}`;
  return random.chance(0.02) ? text.slice(0, random.below(text.length)) : text;
}

const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);

export function oddValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => true,
    () => random.below(10_000) - 5_000,
    () => random.pick([0, -1, 0.1, 1e21, -1e300, 9_007_199_254_740_993, 253_402_300_800, 8.64e15, 1e15, 1e16]),
    () => random.pick(['', ' ', '0', '-1', '01', '1e3', '1999', '19.99', '1'.repeat(40), 'x'.repeat(5_000), '../x', 'p 1', 'null', 'constructor', '__proto__', 'toString']),
    () => random.pick(['\u0000', '\n', '\ud800', '\u202e', 'é', '课程', '\ufeff', '😀', 'p\u0000', '﹣1', '１９']),
    () => random.pick(['CNY', 'cny', 'JPY', 'isk', 'XXX', 'kwd', 'constructor', 'US$']),
    () => random.pick(['2026-11-24T07:30:00Z', '2026-11-24T07:30:00+08:00', '2026-02-31T00:00:00Z', '9999-12-31T23:59:59+00:00', '0000-01-01T00:00:00-12:00', '2026-11-24 07:30:00', '+010000-01-01T00:00:00Z', 'now']),
    () => random.pick(['payment.succeeded', 'payment.refunded', 'payment_intent.succeeded', 'refund.updated', 'checkout.session.completed', 'TRANSACTION.SUCCESS', 'REFUND.SUCCESS', 'SUCCESS', 'succeeded', 'failed']),
    () => [],
    () => ({}),
    () => deep(500),
    () => random.bytes(12).toString('base64'),
  ])();
}

function change(value: unknown, random: Random, changes: number): unknown {
  let changed = value;
  for (let count = 0; count < changes; count++) changed = changeOnce(changed, random);
  return changed;
}

function changeOnce(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.chance(0.08)) return oddValue(random);
  if (Array.isArray(value)) return value.map((item, index) => (index === 0 ? changeOnce(item, random) : item));
  const entries = Object.entries(value);
  if (entries.length === 0) return oddValue(random);
  const at = random.below(entries.length);
  const [name, member] = entries[at] as [string, unknown];
  switch (random.below(6)) {
    case 0:
      return Object.fromEntries(entries.toSpliced(at, 1));
    case 1:
      return { ...value, [random.pick(['account', 'refundId', 'status', 'constructor', name.toUpperCase(), 'x'])]: oddValue(random) };
    case 2:
      return { ...value, [name]: oddValue(random) };
    default:
      return { ...value, [name]: changeOnce(member, random) };
  }
}
