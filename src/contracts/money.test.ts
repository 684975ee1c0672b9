import { describe, expect, it } from 'vitest';
import {
  AMOUNT_MAX, CURRENCY_EXPONENTS, exponentOf, formatDecimalAmount, formatMinorUnits, isSupportedCurrency, parseDecimalAmount, parseMinorUnits, rescaleAmount,
} from './money.ts';

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

  it.each(Object.keys(CURRENCY_EXPONENTS))('are read back as what was written, in %s', (currency) => {
    for (const amount of sampleAmounts()) {
      const text = formatDecimalAmount(amount, currency);
      if (parseDecimalAmount(text, currency) !== amount) expect.fail(`${amount} ${currency} was written as ${text}`);
    }
  });

  it('are read right for every cent between 0.00 and 200.00, whoever wrote them', () => {
    for (let cents = 0; cents <= 20_000; cents++) {
      const text = `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
      if (parseDecimalAmount(text, 'CNY') !== BigInt(cents)) expect.fail(`${cents} cents`);
    }
  });

  it.each([
    [1999n, 'CNY', '19.99'],
    [5n, 'CNY', '0.05'],
    [0n, 'CNY', '0.00'],
    [100n, 'USD', '1.00'],
    [500n, 'JPY', '500'],
    [0n, 'KRW', '0'],
    [5n, 'ISK', '5'],
    [1n, 'KWD', '0.001'],
    [5120n, 'BHD', '5.120'],
    [AMOUNT_MAX, 'CNY', '10000000000000.00'],
    [AMOUNT_MAX, 'JPY', '1000000000000000'],
  ])('%d %s are written as %s', (amount, currency, text) => {
    expect(formatDecimalAmount(amount, currency)).toBe(text);
  });

  it.each([
    [1n, 'BTC'],
    [1n, 'cny'],
    [1n, 'constructor'],
    [-1n, 'CNY'],
    [AMOUNT_MAX + 1n, 'CNY'],
  ])('are not written for %d %s', (amount, currency) => {
    expect(() => formatDecimalAmount(amount, currency)).toThrow(RangeError);
  });
});

describe('writing minor units', () => {
  it('gives what is read back as the same', () => {
    for (const amount of sampleAmounts()) expect(parseMinorUnits(formatMinorUnits(amount))).toBe(amount);
  });

  it.each([-1n, AMOUNT_MAX + 1n])('refuses %d, which no reader would take', (amount) => {
    expect(() => formatMinorUnits(amount)).toThrow(RangeError);
  });
});

describe('the same money in another unit', () => {
  it.each([
    [5n, 0, 2, 500n],
    [500n, 2, 0, 5n],
    [501n, 2, 0, null],
    [599n, 2, 0, null],
    [1n, 2, 3, 10n],
    [10n, 3, 2, 1n],
    [1n, 3, 2, null],
    [0n, 3, 0, 0n],
    [7n, 2, 2, 7n],
  ])('%d with exponent %i is with exponent %i: %s', (amount, from, to, rescaled) => {
    expect(rescaleAmount(amount, from, to)).toBe(rescaled);
  });

  it('is what it was when it is brought back', () => {
    for (const amount of sampleAmounts()) {
      for (const [coarse, fine] of [[0, 2], [0, 3], [2, 3]] as const) {
        const finer = rescaleAmount(amount, coarse, fine);
        expect(finer === null ? null : rescaleAmount(finer, fine, coarse)).toBe(amount);
      }
    }
  });
});

describe('currencies', () => {
  it.each([['CNY', true], ['JPY', true], ['BTC', false], ['cny', false], ['hasOwnProperty', false]])('%s can be paid in: %s', (currency, supported) => {
    expect(isSupportedCurrency(currency)).toBe(supported);
  });

  it('have the exponent of ISO 4217', () => {
    expect(['CNY', 'JPY', 'ISK', 'UGX', 'KWD', 'XTS'].map(exponentOf)).toEqual([2, 0, 0, 0, 3, null]);
    for (const [currency, exponent] of Object.entries(CURRENCY_EXPONENTS)) {
      const { maximumFractionDigits } = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
      expect([currency, exponent]).toEqual([currency, maximumFractionDigits]);
    }
  });
});

/** The edges, and 1,000 amounts of every length from a fixed sequence (a linear congruence), so that a failure repeats. */
function sampleAmounts(): readonly bigint[] {
  const amounts = [0n, 1n, 9n, 10n, 99n, 100n, 101n, AMOUNT_MAX - 1n, AMOUNT_MAX];
  let state = 20_260_101n;
  for (let count = 0; count < 1_000; count++) {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % 2n ** 64n;
    amounts.push((state >> 8n) % 10n ** BigInt(1 + (count % 15)));
  }
  return amounts;
}
