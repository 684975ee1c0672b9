import { formatDecimalAmount } from '../../../contracts/money.ts';

/**
 * Range of `total_amount`, in fen: 0.01 to 100,000,000 yuan. Source: `alipay.trade.page.pay`, `.wap.pay`, `.app.pay` and
 * `.precreate` in opendocs.alipay.com ("单位为元，精确到小数点后两位，取值范围[0.01,100000000]").
 */
const CHARGE_MIN = 1n;
const CHARGE_MAX = 10_000_000_000n;

/** Why Alipay would refuse to charge this much; null when it would take it. */
export function alipayChargeProblem(amount: bigint, currency: string): string | null {
  if (amount >= CHARGE_MIN && amount <= CHARGE_MAX) return null;
  return `Alipay charges from ${formatDecimalAmount(CHARGE_MIN, currency)} to ${formatDecimalAmount(CHARGE_MAX, currency)} ${currency}.`;
}
