/**
 * Money is an integer number of minor units: `bigint` in code, a decimal string on the wire. Floats are never used:
 * truncating `yuan * 100` is wrong for 6.6 % of the amounts between 0.00 and 10,000.00.
 */

/** Exponents of the currencies that can be paid in (ISO 4217). A currency not listed here is refused, not guessed. */
export const CURRENCY_EXPONENTS: Readonly<Record<string, number>> = { CNY: 2, USD: 2, EUR: 2, HKD: 2, JPY: 0, KWD: 3 };

/** Upper bound of one amount, in minor units: 10^15 leaves room for sums inside a PostgreSQL bigint. */
export const AMOUNT_MAX = 10n ** 15n;

const MINOR_UNITS = /^(0|[1-9]\d{0,15})$/;
const DECIMAL = /^(0|[1-9]\d{0,15})(?:\.(\d+))?$/;

/** @returns the amount, or null when `text` is not a canonical non-negative integer within AMOUNT_MAX. */
export function parseMinorUnits(text: string): bigint | null {
  if (!MINOR_UNITS.test(text)) return null;
  const amount = BigInt(text);
  return amount <= AMOUNT_MAX ? amount : null;
}

/**
 * Reads a provider's decimal amount (`"19.99"`, `"20"`, `"88.880"`) of a currency exactly.
 * @returns minor units, or null for anything else (`1e3`, `-1`, `.5`, `01.00`, a non-zero digit below the minor unit,
 * an unsupported currency).
 */
export function parseDecimalAmount(text: string, currency: string): bigint | null {
  const exponent = isSupportedCurrency(currency) ? CURRENCY_EXPONENTS[currency] : undefined;
  const match = DECIMAL.exec(text);
  if (exponent === undefined || match === null) return null;
  const fraction = match[2] ?? '';
  if (/[1-9]/.test(fraction.slice(exponent))) return null;
  return parseMinorUnits(BigInt(`${match[1]}${fraction.slice(0, exponent).padEnd(exponent, '0')}`).toString());
}

export function isSupportedCurrency(currency: string): boolean {
  return Object.hasOwn(CURRENCY_EXPONENTS, currency);
}
