import { expect, it } from 'vitest';
import { alipayChargeProblem } from './alipay-limits.ts';

it.each([[0n], [10_000_000_001n]])('Alipay would refuse to charge %d fen', (amount) => {
  expect(alipayChargeProblem(amount, 'CNY')).toBe('Alipay charges from 0.01 to 100000000.00 CNY.');
});

it.each([[1n], [4_500n], [10_000_000_000n]])('Alipay charges %d fen', (amount) => {
  expect(alipayChargeProblem(amount, 'CNY')).toBeNull();
});
