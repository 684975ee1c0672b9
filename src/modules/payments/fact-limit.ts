import type { PaymentNotification } from '../../contracts/payment-notifications.ts';

/**
 * How many facts of one payment are stored that one account tells. Each webhook reads and adds up what its payment has,
 * so that without a limit a payment that is tried for ever would cost ever more.
 *
 * | facts                           | limit | past it                                                                               |
 * | ------------------------------- | ----- | ------------------------------------------------------------------------------------- |
 * | failed attempts                 | 200   | acknowledged and not stored: a buyer tries a handful of times, a tester of cards more |
 * | everything else but the success | 1,000 | not acknowledged: it moves money. WeChat Pay makes at most 50 refunds of a payment    |
 *
 * At the first one past a limit `PaymentNotificationsLimited` is stored, of which an operator gets a work item.
 */
export const ATTEMPTS_LIMIT = 200;
export const FACTS_LIMIT = 1_000;

export function factLimitOf(kind: PaymentNotification['kind']): number {
  return kind === 'attempt-failed' ? ATTEMPTS_LIMIT : FACTS_LIMIT;
}

export function accountOf({ provider, account }: { readonly provider: string; readonly account: string }): string {
  return `${provider}/${account}`;
}
