import { CURRENCY_EXPONENTS, exponentOf, formatDecimalAmount, formatMinorUnits, parseMinorUnits, rescaleAmount } from '../../../contracts/money.ts';

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
 * Twelve digits, in Stripe's unit: what cards take at most (docs.stripe.com/currencies, "Maximum charge amounts"). Other ways to
 * pay end at eight digits, and the reference of the payment intent knows only those; which one a buyer takes is not known
 * when a payment is opened. There is no smallest amount to compare with: it is that of the currency which the account is paid
 * out in, after a conversion, and some ways to pay have none.
 */
const CHARGE_MAX = 999_999_999_999n;

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

/**
 * Why Stripe would refuse to charge this much, whoever pays and however; null when it may take it.
 * Sources: docs.stripe.com/currencies ("Three-decimal currencies": the last digit must be 0) and CHARGE_MAX's. What
 * Stripe counts in hundredths and takes whole (ISK, UGX) has no fraction in our unit.
 * @param currency one of CURRENCY_EXPONENTS.
 */
export function stripeChargeProblem(amount: bigint, currency: string): string | null {
  const exponent = exponentOf(currency);
  if (exponent === null) return `Stripe is not used for ${currency} here.`;
  if (amount <= 0n) return 'Stripe charges no amount of zero.';
  if (!hasStripeStep(amount, exponent)) return `Stripe charges ${currency} only in steps of ${formatDecimalAmount(THREE_DECIMALS_STEP, currency)}, and ${formatDecimalAmount(amount, currency)} is none.`;
  const unit = 10n ** BigInt((STRIPE_EXPONENTS[currency] ?? exponent) - exponent);
  return amount * unit > CHARGE_MAX ? `Stripe charges at most ${formatDecimalAmount(CHARGE_MAX / unit, currency)} ${currency}.` : null;
}

function hasStripeStep(amount: bigint, exponent: number): boolean {
  return exponent !== 3 || amount % THREE_DECIMALS_STEP === 0n;
}
