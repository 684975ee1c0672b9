import { counts, netTotal, type Refund, type ReturnedMoney } from './returned-money.ts';

/**
 * Pure. What failed refunds have left to be given back again, minor units. Each refund is followed through time by the
 * provider's clock: when it is made it pays off what is due, and when it fails its amount is due (again). So a refund that
 * is made again after its failure leaves nothing, one of two independent refunds that fails leaves its own amount, and of
 * a refund that fails twice only one amount is due. Never more than what was not given back.
 * @param paid what was paid.
 */
export function refundDue(money: ReturnedMoney, paid: bigint): bigint {
  const steps = stepsOf(money);
  if (!steps.some(({ kind }) => kind === 'failed')) return 0n;
  let due = 0n;
  let singles = 0n;
  for (const { kind, amount } of steps.sort(byTime)) {
    if (kind === 'failed') due += amount;
    if (kind === 'made' || kind === 'attempted') due = due > amount ? due - amount : 0n;
    if (kind === 'made') singles += amount;
    // A sum that tells of more than the single refunds has paid off something, too.
    if (kind === 'told' && amount > singles) due = due > amount - singles ? due - (amount - singles) : 0n;
  }
  const left = paid - netTotal(money);
  return due < left ? due : left > 0n ? left : 0n;
}

interface Step {
  /** `attempted`: it failed later. */
  readonly kind: 'made' | 'attempted' | 'failed' | 'told';
  readonly amount: bigint;
  readonly at: string;
  readonly seq: number;
}

function stepsOf({ refunds, told }: ReturnedMoney): Step[] {
  const steps = [...refunds.values()].flatMap(stepsOfRefund);
  return told === null ? steps : [...steps, { kind: 'told', amount: told.total, at: told.at, seq: told.seq }];
}

function stepsOfRefund(refund: Refund): Step[] {
  const { amount, done, failed, initiatedAt } = refund;
  if (amount === null) return [];
  if (counts(refund) && done !== null) {
    // One that had failed before pays off its own amount, and nothing of what others have left.
    return [...(failed === null ? [] : [{ kind: 'failed' as const, amount, ...failed }]), { kind: 'made', amount, ...done }];
  }
  if (failed === null) return [];
  // Where nobody says when it began, it is not taken for another one in the place of one that failed.
  if (done === null && initiatedAt === null) return [{ kind: 'failed', amount, ...failed }];
  const begun = done ?? { at: initiatedAt ?? failed.at, seq: 0 };
  // Told in the other order, or within one second of the provider's clock, it still began before it failed.
  const attempt = begun.at < failed.at || (begun.at === failed.at && begun.seq < failed.seq) ? begun : { at: failed.at, seq: failed.seq - 0.5 };
  return [{ kind: 'attempted', amount, ...attempt }, { kind: 'failed', amount, ...failed }];
}

function byTime(a: Step, b: Step): number {
  return a.at === b.at ? a.seq - b.seq : a.at < b.at ? -1 : 1;
}
