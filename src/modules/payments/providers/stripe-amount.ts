import { CURRENCY_EXPONENTS, exponentOf, formatMinorUnits, parseMinorUnits, rescaleAmount } from '../../../contracts/money.ts';

/**
 * Stripe counts in the smallest unit of a currency, which is mostly ours:
 *
 * | currency                | our exponent | Stripe's scale                                     |
 * | ----------------------- | ------------ | -------------------------------------------------- |
 * | CNY, USD, TWD, …        | 2            | 2                                                  |
 * | JPY, KRW, VND           | 0            | 0                                                  |
 * | ISK, UGX                | 0            | 2, always whole: 500 is five krónur                |
 * | KWD, BHD, JOD, OMR, TND | 3            | 3, and the last digit is 0: card networks take two |
 *
 * UGX is in Stripe's list of currencies without decimals, too. If that is what it does, a payment in it is rejected for
 * its amount, a hundredth of what was asked for; it can never pass for more than it is.
 */
const STRIPE_EXPONENTS: Readonly<Record<string, number>> = { ...CURRENCY_EXPONENTS, ISK: 2, UGX: 2 };

/** Amounts in a currency with three decimals are multiples of this. */
const THREE_DECIMALS_STEP = 10n;

/**
 * What Stripe says, as integer minor units in our exponent. A currency that no payment of ours can be in keeps Stripe's
 * number: it is a payment in the wrong currency, which somebody must see, and not a message that cannot be read.
 * @param currency upper case.
 * @returns null for an amount that Stripe does not have: negative, half a króna, a third decimal.
 */
export function fromStripeAmount(amount: number, currency: string): string | null {
  if (!Number.isSafeInteger(amount) || amount < 0) return null;
  const exponent = exponentOf(currency);
  if (exponent === null) return amount.toString();
  const ours = hasStripeStep(BigInt(amount), exponent) ? rescaleAmount(BigInt(amount), STRIPE_EXPONENTS[currency] ?? exponent, exponent) : null;
  return ours === null || parseMinorUnits(ours.toString()) === null ? null : formatMinorUnits(ours);
}

/**
 * The number that Stripe would send for an amount of ours.
 * @throws RangeError for an amount that Stripe cannot be paid, such as 1.234 KWD.
 */
export function toStripeAmount(amount: string, currency: string): number {
  const ours = parseMinorUnits(amount);
  const exponent = exponentOf(currency);
  if (ours === null || exponent === null) throw new RangeError(`${amount} ${currency} is not an amount of ours`);
  const theirs = rescaleAmount(ours, exponent, STRIPE_EXPONENTS[currency] ?? exponent);
  if (theirs === null || theirs > BigInt(Number.MAX_SAFE_INTEGER) || !hasStripeStep(theirs, exponent)) {
    throw new RangeError(`${amount} ${currency} is not an amount of Stripe's`);
  }
  return Number(theirs);
}

function hasStripeStep(amount: bigint, exponent: number): boolean {
  return exponent !== 3 || amount % THREE_DECIMALS_STEP === 0n;
}
