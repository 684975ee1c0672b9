import { createHmac, sign, type KeyObject } from 'node:crypto';
import type { OutcomeToSign, SignedWebhook } from './outcome-to-sign.ts';

export interface StandardSigningKey {
  readonly provider: 'standard';
  readonly account: string;
  /** `whsec_…` */
  readonly secret: string;
}

export interface StandardMessage {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

export function signStandard({ account, secret }: StandardSigningKey, outcome: OutcomeToSign, sentAt: Date): SignedWebhook {
  const body = JSON.stringify(standardPayload(outcome));
  const message = { id: outcome.notificationId, timestampSeconds: Math.floor(sentAt.getTime() / 1000), body };
  return { path: `/webhooks/standard/${account}`, headers: signStandardMessage(secret, message), body };
}

/** Our payload of each outcome; `timestamp` is the time of the fact, not of the sending. */
export function standardPayload(outcome: OutcomeToSign): { readonly type: string; readonly timestamp: string; readonly data: object } {
  const { payNo, tradeNo, amount, currency } = outcome;
  const about = { payNo, tradeNo };
  switch (outcome.kind) {
    case 'succeeded':
      return payload('payment.succeeded', outcome.paidAt, (paidAt) => ({ ...about, amount, currency, paidAt }));
    case 'attempt-failed':
      return payload('payment.failed', outcome.failedAt, (failedAt) => ({ ...about, attemptId: outcome.attemptId, reason: outcome.reason, failedAt }));
    case 'closed':
      return payload('payment.closed', outcome.closedAt, (closedAt) => ({ ...about, closedAt }));
    case 'refunded': {
      const { refundId, refundAmount, refundedTotal } = outcome;
      return payload('payment.refunded', outcome.refundedAt, (refundedAt) => ({ ...about, refundId, refundAmount, refundedTotal, currency, paymentAmount: amount, refundedAt }));
    }
    case 'refund-failed': {
      const { refundId, refundAmount, reason } = outcome;
      return payload('payment.refund_failed', outcome.failedAt, (failedAt) => ({ ...about, refundId, refundAmount, currency, reason, failedAt }));
    }
    case 'disputed': {
      const { disputeId, disputedAmount, reason, funds } = outcome;
      const dueBy = outcome.dueBy?.toISOString();
      return payload('payment.disputed', outcome.disputedAt, (disputedAt) => ({ ...about, disputeId, disputedAmount, currency, reason, dueBy, funds, disputedAt }));
    }
    case 'dispute-closed': {
      const { disputeId, disputedAmount } = outcome;
      return payload('payment.dispute_closed', outcome.closedAt, (closedAt) => ({ ...about, disputeId, disputedAmount, currency, outcome: outcome.outcome, closedAt }));
    }
  }
}

function payload(type: string, time: Date, data: (timestamp: string) => object): ReturnType<typeof standardPayload> {
  const timestamp = time.toISOString();
  return { type, timestamp, data: data(timestamp) };
}

/** Signs any body like a Standard Webhooks sender. @param secret `whsec_…`. @returns the headers. */
export function signStandardMessage(secret: string, message: StandardMessage): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return headersWith(message, `v1,${createHmac('sha256', key).update(signedText(message)).digest('base64')}`);
}

/** The asymmetric scheme `v1a`. @param privateKey Ed25519. */
export function signStandardAsymmetric(privateKey: KeyObject, message: StandardMessage): Record<string, string> {
  return headersWith(message, `v1a,${sign(null, Buffer.from(signedText(message)), privateKey).toString('base64')}`);
}

function signedText({ id, timestampSeconds, body }: StandardMessage): string {
  return `${id}.${timestampSeconds}.${body}`;
}

function headersWith({ id, timestampSeconds }: StandardMessage, signature: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  };
}
