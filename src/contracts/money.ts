/**
 * Money is an integer number of minor units: `bigint` in code, a decimal string on the wire. Floats are never used:
 * truncating `yuan * 100` is wrong for 6.6 % of the amounts between 0.00 and 10,000.00.
 *
 * This file is the only codec. Readers give null for what is not an amount, because it comes from outside; writers throw
 * a RangeError, because what they are given is ours.
 */

/**
 * Currencies that can be paid in, with the exponent of their minor unit (ISO 4217). A currency not listed here is refused,
 * not guessed. A provider may count in another unit: its scale is the provider's business, and is kept with it.
 */
export const CURRENCY_EXPONENTS: Readonly<Record<string, number>> = {
  // Alipay and WeChat Pay settle in yuan only.
  CNY: 2,
  // Where Chinese-speaking learners live.
  HKD: 2,
  MOP: 2,
  TWD: 2,
  SGD: 2,
  MYR: 2,
  // What card payments from elsewhere are mostly made in.
  USD: 2,
  EUR: 2,
  GBP: 2,
  CHF: 2,
  CAD: 2,
  AUD: 2,
  NZD: 2,
  // No minor unit.
  JPY: 0,
  KRW: 0,
  VND: 0,
  // No minor unit either, though Stripe counts them in hundredths.
  ISK: 0,
  UGX: 0,
  // A thousand minor units.
  KWD: 3,
  BHD: 3,
  JOD: 3,
  OMR: 3,
  TND: 3,
};

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

/** Minor units as they go on the wire. @throws RangeError for what parseMinorUnits would not read back. */
export function formatMinorUnits(amount: bigint): string {
  if (amount < 0n || amount > AMOUNT_MAX) throw new RangeError('amount must be between 0 and AMOUNT_MAX');
  return amount.toString();
}

/**
 * Reads a provider's decimal amount (`"19.99"`, `"20"`, `"88.880"`) of a currency exactly.
 * @returns minor units, or null for anything else (`1e3`, `-1`, `.5`, `01.00`, a non-zero digit below the minor unit,
 * an unsupported currency).
 */
export function parseDecimalAmount(text: string, currency: string): bigint | null {
  const exponent = exponentOf(currency);
  const match = DECIMAL.exec(text);
  if (exponent === null || match === null) return null;
  const fraction = match[2] ?? '';
  if (/[1-9]/.test(fraction.slice(exponent))) return null;
  return parseMinorUnits(BigInt(`${match[1]}${fraction.slice(0, exponent).padEnd(exponent, '0')}`).toString());
}

/**
 * Writes minor units as a decimal with every digit of the minor unit: 1999 CNY is `"19.99"`, 500 JPY is `"500"`.
 * @throws RangeError for an unsupported currency or an amount out of bounds.
 */
export function formatDecimalAmount(amount: bigint, currency: string): string {
  const exponent = exponentOf(currency);
  if (exponent === null) throw new RangeError(`currency ${currency} is not supported`);
  const digits = formatMinorUnits(amount).padStart(exponent + 1, '0');
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/**
 * The same money in a unit with another exponent, exactly: 5 with exponent 0 is 500 with exponent 2.
 * @returns null when the other unit is too coarse for it; nothing is ever rounded.
 */
export function rescaleAmount(amount: bigint, fromExponent: number, toExponent: number): bigint | null {
  if (toExponent >= fromExponent) return amount * 10n ** BigInt(toExponent - fromExponent);
  const divisor = 10n ** BigInt(fromExponent - toExponent);
  return amount % divisor === 0n ? amount / divisor : null;
}

export function isSupportedCurrency(currency: string): boolean {
  return exponentOf(currency) !== null;
}

/** @returns null for a currency that is not supported, also when its name is one that every object has. */
export function exponentOf(currency: string): number | null {
  return Object.hasOwn(CURRENCY_EXPONENTS, currency) ? (CURRENCY_EXPONENTS[currency] ?? null) : null;
}
