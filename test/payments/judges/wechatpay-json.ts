import type { Random } from '../../harness/random.ts';

/**
 * JSON that means `value` and is written as hardly anybody writes it: blanks between all tokens, members in any order,
 * letters as escapes, whole numbers with an exponent or a fraction, and members that no reader knows.
 */
export function oddJson(value: unknown, random: Random): string {
  const blank = (): string => (random.chance(0.3) ? random.pick([' ', '\t', '\n', '\r\n', '  ']) : '');
  const write = (item: unknown): string => `${blank()}${writeBare(item)}${blank()}`;
  const writeBare = (item: unknown): string => {
    if (typeof item === 'string') return oddString(item, random);
    if (typeof item === 'number') return oddNumber(item, random);
    if (Array.isArray(item)) return `[${item.length === 0 ? blank() : item.map(write).join(',')}]`;
    if (typeof item === 'object' && item !== null) return `{${shuffled(membersOf(item, random), random).map(([name, member]) => `${blank()}${oddString(name, random)}${blank()}:${write(member)}`).join(',')}}`;
    return JSON.stringify(item);
  };
  return write(value);
}

const UNKNOWN = ['"__proto__":', 'a\u0000b', '😀', '\ud800', '\u2028', '支付成功', '</script>', '\\"}]', null, true, 1.5, [], {}, [[[]]]] as const;

function membersOf(object: object, random: Random): [string, unknown][] {
  const members = Object.entries(object).filter(([, member]) => member !== undefined);
  return random.chance(0.2) ? [...members, [`new_member_${random.below(9)}`, random.pick(UNKNOWN)]] : members;
}

function oddString(text: string, random: Random): string {
  if (random.chance(0.5)) return JSON.stringify(text);
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const units = Array.from({ length: text.length }, (_, at) => text.charAt(at));
  const isPlain = (unit: string): boolean => /[ !#-.0-[\]-~]/.test(unit);
  return `"${units.map((unit) => (unit === '/' && random.chance(0.5) ? '\\/' : isPlain(unit) && random.chance(0.8) ? unit : escape(unit))).join('')}"`;
}

function oddNumber(number: number, random: Random): string {
  const plain = JSON.stringify(number);
  if (!Number.isSafeInteger(number) || number <= 0) return plain;
  return random.pick([plain, plain, `${plain}.0`, `${plain}e0`, `${plain}0E-1`, number % 100 === 0 ? `${number / 100}e+2` : plain]);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items.map((item) => [random.next(), item] as const).sort(([a], [b]) => a - b).map(([, item]) => item);
}
