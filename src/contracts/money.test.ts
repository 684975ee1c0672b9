import { describe, expect, it } from 'vitest';
import { AMOUNT_MAX, CURRENCY_EXPONENTS, isSupportedCurrency, parseDecimalAmount, parseMinorUnits } from './money.ts';

describe('minor units on the wire', () => {
  it.each([
    ['0', 0n],
    ['1', 1n],
    ['1999', 1999n],
    ['9007199254740993', null], // more than AMOUNT_MAX, and more than a float can hold
    ['999999999999999', 999_999_999_999_999n],
    ['1000000000000000', AMOUNT_MAX],
    ['1000000000000001', null],
    ['10000000000000000', null],
    ['', null],
    ['-1', null],
    ['+1', null],
    ['01', null],
    ['00', null],
    ['1.0', null],
    ['1e3', null],
    ['0x10', null],
    ['1_000', null],
    ['1,000', null],
    [' 1', null],
    ['1\n', null],
    ['１', null], // a full-width digit
    ['NaN', null],
  ])('%j is %s', (text, amount) => {
    expect(parseMinorUnits(text)).toBe(amount);
  });
});

describe('decimal amounts of a provider', () => {
  it.each([
    ['19.99', 'CNY', 1999n],
    ['20', 'CNY', 2000n],
    ['20.0', 'CNY', 2000n],
    ['88.880', 'CNY', 8888n],
    ['0.01', 'CNY', 1n],
    ['0', 'CNY', 0n],
    ['0.00', 'CNY', 0n],
    // Truncating yuan * 100 as a float gives 1998, 1 less, and 113 less one.
    ['19.98', 'CNY', 1998n],
    ['1.13', 'CNY', 113n],
    ['4.35', 'CNY', 435n],
    ['1.15', 'USD', 115n],
    ['8.29', 'EUR', 829n],
    ['9999999999999.99', 'CNY', 999_999_999_999_999n],
    ['10000000000000.00', 'CNY', AMOUNT_MAX],
    ['10000000000000.01', 'CNY', null],
    ['1000000000000000', 'JPY', AMOUNT_MAX],
    ['1000000000000001', 'JPY', null],
    ['500', 'JPY', 500n],
    ['500.00', 'JPY', 500n],
    ['500.5', 'JPY', null],
    ['1.234', 'KWD', 1234n],
    ['1.2345', 'KWD', null],
    ['88.885', 'CNY', null],
    ['0.001', 'CNY', null],
    ['1e3', 'CNY', null],
    ['-1', 'CNY', null],
    ['-0.00', 'CNY', null],
    ['+1', 'CNY', null],
    ['.5', 'CNY', null],
    ['5.', 'CNY', null],
    ['01.00', 'CNY', null],
    ['1,000.00', 'CNY', null],
    ['1.00.00', 'CNY', null],
    ['', 'CNY', null],
    [' 1.00', 'CNY', null],
    ['1.00\n', 'CNY', null],
    ['Infinity', 'CNY', null],
    ['1.00', 'BTC', null],
    ['1.00', 'cny', null],
    ['1.00', '', null],
    ['1', 'constructor', null], // a property that every object has is no currency
    ['1', 'toString', null],
  ])('%j %s is %s', (text, currency, amount) => {
    expect(parseDecimalAmount(text, currency)).toBe(amount);
  });

  it.each(Object.entries(CURRENCY_EXPONENTS))('reads back what it is written as, for %s', (currency, exponent) => {
    for (const amount of sampleAmounts()) {
      expect(parseDecimalAmount(toDecimal(amount, exponent), currency), `${amount} ${currency}`).toBe(amount);
    }
  });

  it('reads every cent between 0.00 and 200.00', () => {
    for (let cents = 0n; cents <= 20_000n; cents++) if (parseDecimalAmount(toDecimal(cents, 2), 'CNY') !== cents) expect.fail(`${cents} cents`);
  });
});

it.each([['CNY', true], ['JPY', true], ['BTC', false], ['cny', false], ['hasOwnProperty', false]])('%s can be paid in: %s', (currency, supported) => {
  expect(isSupportedCurrency(currency)).toBe(supported);
});

function toDecimal(amount: bigint, exponent: number): string {
  const digits = amount.toString().padStart(exponent + 1, '0');
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** The edges, and 500 amounts of every length from a fixed sequence (a linear congruence), so that a failure repeats. */
function sampleAmounts(): readonly bigint[] {
  const amounts = [0n, 1n, 9n, 10n, 99n, 100n, 101n, AMOUNT_MAX - 1n, AMOUNT_MAX];
  let state = 20_260_101n;
  for (let count = 0; count < 500; count++) {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % 2n ** 64n;
    amounts.push((state >> 8n) % 10n ** BigInt(1 + (count % 15)));
  }
  return amounts;
}
