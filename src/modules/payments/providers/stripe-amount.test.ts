import { describe, expect, it } from 'vitest';
import { AMOUNT_MAX, CURRENCY_EXPONENTS, parseMinorUnits } from '../../../contracts/money.ts';
import { fromStripeAmount, stripeChargeProblem, toStripeAmount } from './stripe-amount.ts';

describe('an amount of Stripe', () => {
  it.each([
    [1999, 'CNY', '1999'],
    [0, 'USD', '0'],
    [500, 'JPY', '500'],
    [501, 'KRW', '501'],
    [500, 'ISK', '5'],
    [501, 'ISK', null], // a hundredth of a króna
    [550, 'ISK', null],
    [100, 'UGX', '1'],
    [5, 'UGX', null],
    [5120, 'KWD', '5120'],
    [5124, 'KWD', null], // more exact than card networks are
    [10, 'BHD', '10'],
    [1, 'OMR', null],
    [800, 'TWD', '800'], // paid out in whole dollars, but charged in cents
    [1_000_000_000_000_000, 'CNY', AMOUNT_MAX.toString()],
    [1_000_000_000_000_001, 'CNY', null],
    [Number.MAX_SAFE_INTEGER + 1, 'ISK', null],
    [-1, 'CNY', null],
    [19.99, 'CNY', null],
    [Number.NaN, 'CNY', null],
    [Number.POSITIVE_INFINITY, 'CNY', null],
    // No payment of ours is in these: the number stays what it is, for whoever looks into it.
    [19_99, 'SEK', '1999'],
    [Number.MAX_SAFE_INTEGER, 'SEK', '9007199254740991'],
    [-1, 'SEK', null],
    [7, 'constructor', '7'],
  ])('%d %s is %s in ours', (amount, currency, ours) => {
    expect(fromStripeAmount(amount, currency)).toBe(ours);
  });

  it.each([
    ['1999', 'CNY', 1999],
    ['5', 'ISK', 500],
    ['500', 'JPY', 500],
    ['5120', 'KWD', 5120],
  ])('for %s %s of ours is %d', (ours, currency, amount) => {
    expect(toStripeAmount(ours, currency)).toBe(amount);
  });

  it.each([
    ['1234', 'KWD'],
    ['100', 'SEK'],
    ['01', 'CNY'],
    ['-1', 'CNY'],
    ['1.0', 'CNY'],
    [AMOUNT_MAX.toString(), 'ISK'], // more than a JSON number holds exactly
  ])('does not exist for %s %s', (ours, currency) => {
    expect(() => toStripeAmount(ours, currency)).toThrow(RangeError);
  });

  it.each(Object.keys(CURRENCY_EXPONENTS))('comes back as what it was sent for, in %s', (currency) => {
    const step = CURRENCY_EXPONENTS[currency] === 3 ? 10n : 1n;
    for (const sample of samples(1_000)) {
      const amount = (sample / step) * step;
      const sent = toStripeAmount(amount.toString(), currency);
      if (fromStripeAmount(sent, currency) !== amount.toString()) expect.fail(`${amount} ${currency} was sent as ${sent}`);
    }
  });

  it.each(Object.keys(CURRENCY_EXPONENTS))('is either not read at all, or sent back as it came, in %s', (currency) => {
    let read = 0;
    for (const sample of samples(1_000)) {
      const ours = fromStripeAmount(Number(sample), currency);
      if (ours === null) continue;
      read++;
      expect(parseMinorUnits(ours)).not.toBeNull();
      if (BigInt(toStripeAmount(ours, currency)) !== sample) expect.fail(`${sample} ${currency} was read as ${ours}`);
    }
    expect(read).toBeGreaterThan(0);
  });
});

describe('what Stripe would refuse to charge', () => {
  it.each([
    [1234n, 'KWD', 'Stripe charges KWD only in steps of 0.010, and 1.234 is none.'],
    [1n, 'TND', 'Stripe charges TND only in steps of 0.010, and 0.001 is none.'],
    [0n, 'CNY', 'Stripe charges no amount of zero.'],
    [1_000_000_000_000n, 'CNY', 'Stripe charges at most 9999999999.99 CNY.'],
    [1_000_000_000_000n, 'JPY', 'Stripe charges at most 999999999999 JPY.'],
    // Counted in hundredths there, so that twelve digits are reached earlier.
    [10_000_000_000n, 'ISK', 'Stripe charges at most 9999999999 ISK.'],
    [1999n, 'SEK', 'Stripe is not used for SEK here.'],
  ])('is %d %s, and why', (amount, currency, problem) => {
    expect(stripeChargeProblem(amount, currency)).toBe(problem);
  });

  it.each([
    [1n, 'CNY'], [4500n, 'CNY'], [999_999_999_999n, 'USD'], [1n, 'ISK'], [9_999_999_999n, 'UGX'], [1n, 'JPY'], [1230n, 'KWD'], [10n, 'BHD'],
  ])('is not %d %s', (amount, currency) => {
    expect(stripeChargeProblem(amount, currency)).toBeNull();
  });

  it.each(Object.keys(CURRENCY_EXPONENTS))('is what has no number at Stripe, and nothing else below the limit, in %s', (currency) => {
    for (const amount of samples(1_000).filter((sample) => sample > 0n && sample < 10_000_000_000n)) {
      const isSendable = stripeChargeProblem(amount, currency) === null;
      if (isSendable !== canBeSent(amount, currency)) expect.fail(`${amount} ${currency}`);
    }
  });
});

function canBeSent(amount: bigint, currency: string): boolean {
  try {
    return toStripeAmount(amount.toString(), currency) > 0;
  } catch {
    return false;
  }
}

/** Edges, and amounts of every length up to thirteen digits, from a fixed sequence (a linear congruence). */
function samples(count: number): readonly bigint[] {
  const amounts = [0n, 1n, 10n, 99n, 100n, 101n, 1_000n];
  let state = 20_261_124n;
  while (amounts.length < count) {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % 2n ** 64n;
    amounts.push((state >> 8n) % 10n ** BigInt(1 + (amounts.length % 13)));
  }
  return amounts;
}
