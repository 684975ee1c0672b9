import { randomUUID } from 'node:crypto';
import type { OutcomeToSign } from '../../src/modules/payments/index.ts';
import { UsageError, type WebhookOptions } from './options.ts';

/** Of `GET /payments/:payNo`. */
export interface KnownPayment {
  readonly provider: string;
  readonly account: string;
  readonly amount: string;
  readonly currency: string;
  readonly providerTradeNo: string | null;
  readonly paidAt: string | null;
  readonly refundedTotal: string;
}

/**
 * What the provider would say, made of the options and, where they leave it open, of the payment.
 * @param payment null when paynotify does not know it: its amount and currency must then be among the options.
 */
export function toOutcome(options: WebhookOptions, payment: KnownPayment | null, now: Date): OutcomeToSign {
  const { payNo } = options;
  const about = {
    payNo,
    tradeNo: options.tradeNo ?? payment?.providerTradeNo ?? `trade-${payNo}`,
    amount: given('amount', options.amount ?? payment?.amount, payNo),
    currency: given('currency', options.currency ?? payment?.currency, payNo),
    notificationId: options.notificationId ?? `msg_${randomUUID()}`,
  };
  switch (options.kind) {
    case 'succeeded':
      return { kind: 'succeeded', ...about, paidAt: now };
    case 'failed':
      return { kind: 'attempt-failed', ...about, attemptId: `attempt-${about.notificationId}`, reason: options.reason ?? 'card_declined', failedAt: now };
    case 'closed':
      return { kind: 'closed', ...about, closedAt: now };
    case 'refunded': {
      const refund = refundOf(options, payment, about.amount);
      return { kind: 'refunded', ...about, ...refund, paidAt: new Date(payment?.paidAt ?? now), refundedAt: now };
    }
    case 'refund-failed': {
      // What was given back, and turns out not to have been.
      const back = payment === null || payment.refundedTotal === '0' ? about.amount : payment.refundedTotal;
      const refund = { refundId: options.refundId ?? `refund-${payNo}`, refundAmount: options.refundAmount ?? back };
      return { kind: 'refund-failed', ...about, ...refund, reason: options.reason ?? 'ABNORMAL', failedAt: now };
    }
    case 'disputed':
      return { kind: 'disputed', ...about, ...disputeOf(options, about.amount), reason: options.reason ?? 'fraudulent', dueBy: options.dueBy ?? null, funds: options.funds ?? 'unchanged', disputedAt: now };
    case 'dispute-closed':
      return { kind: 'dispute-closed', ...about, ...disputeOf(options, about.amount), outcome: options.outcome ?? 'lost', closedAt: now };
  }
}

function refundOf({ payNo, refundId, refundAmount }: WebhookOptions, payment: KnownPayment | null, amount: string): { refundId: string; refundAmount: string; refundedTotal: string } {
  const before = BigInt(payment?.refundedTotal ?? 0);
  const rest = BigInt(amount) - before;
  const now = refundAmount === undefined ? rest : BigInt(refundAmount);
  if (now <= 0n) throw new UsageError(`payment ${payNo} is refunded already; --refund-amount says how much is to be refunded more`);
  return { refundId: refundId ?? `refund-${payNo}`, refundAmount: String(now), refundedTotal: String(before + now) };
}

function disputeOf({ payNo, disputeId, disputeAmount }: WebhookOptions, amount: string): { disputeId: string; disputedAmount: string } {
  return { disputeId: disputeId ?? `dispute-${payNo}`, disputedAmount: disputeAmount ?? amount };
}

function given(name: string, value: string | undefined, payNo: string): string {
  if (value === undefined) throw new UsageError(`payment ${payNo} is not known to paynotify; --${name} must say what the webhook is to say`);
  return value;
}
