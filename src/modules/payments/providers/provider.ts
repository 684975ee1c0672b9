import type { IncomingHttpHeaders } from 'node:http';
import type { Claims, Notification } from '../../../contracts/payment-notifications.ts';

/**
 * What a payment provider is to us: how its accounts are configured, how it proves that a notification is genuine, and
 * which answers it understands. One file per provider; a new one also needs a line in `registry.ts`.
 */
export interface Provider {
  /** Part of the webhook's path, of stream names and of events; never to be changed. */
  readonly name: string;
  /** Reads one entry of the accounts file. @throws ConfigError naming the field. */
  readAccount(account: string, fields: AccountFields): ProviderAccount;
  answer(outcome: ReceiveOutcome, traceId: string): Answer;
  /** Currencies that a payment can be opened in. */
  readonly currencies: ReadonlySet<string>;
  /**
   * Pure: what the provider would refuse about charging this much, in a sentence for the shop; null when it would take it.
   * Only what the provider documents. Left out = it documents nothing.
   */
  chargeProblem?(amount: bigint, currency: string): string | null;
}

/** One merchant account with its verification keys. */
export interface ProviderAccount {
  readonly provider: string;
  readonly account: string;
  /** What notifications for this account must claim. Settings that are not set are left out, and not checked. */
  readonly expects: Claims;
  /** A success with a discount that the provider gave, down to nothing, is a success. False when left out. */
  readonly acceptsDiscounts?: boolean;
  /** Pure and without I/O: checks the raw bytes against every key that is active at `now`. */
  verify(request: WebhookRequest, now: Date): Verification;
}

export interface WebhookRequest {
  readonly headers: IncomingHttpHeaders;
  /** Exactly as received; nothing has been parsed. */
  readonly body: Buffer;
}

export type Verification =
  | {
      readonly outcome: 'refused';
      readonly reason: RefusalReason;
      /** Only where the signature was right, and the time alone was not. */
      readonly clock?: ClockReading;
    }
  | {
      readonly outcome: 'verified';
      /** Which key matched, so that an operator sees when an old one is no longer used. */
      readonly keyId: string;
      /** Left out where the provider signs no time of its own. */
      readonly clock?: ClockReading;
      /** Pure: the content in our words. Only called after verification. */
      read(): Reading;
    };

/** What a genuine notification says about the clock of this host. */
export interface ClockReading {
  /** By how much our clock is ahead of the provider's; negative when behind. */
  readonly offsetSeconds: number;
  /** The provider's id of the notification, the same in each repetition. Null when the body does not say, and where nothing was refused. */
  readonly notificationId: string | null;
}

export function refused(reason: RefusalReason, clock?: ClockReading): Verification {
  return { outcome: 'refused', reason, ...(clock === undefined ? {} : { clock }) };
}

export type Reading =
  /** Usually one. A notification that tells of two facts (an Alipay refund repeats the payment) gives them in the order they happened. */
  | { readonly outcome: 'read'; readonly notifications: readonly [Notification, ...Notification[]] }
  /**
   * Genuine, but not in the format that was agreed on; `field` is a JSON pointer or a parameter's name. `advice` is for the
   * operator, where a setting at the provider is to be changed.
   */
  | { readonly outcome: 'malformed'; readonly field: string; readonly advice?: string };

/** Why a request is not believed. For metrics and logs only: the caller is told nothing but 401. */
export type RefusalReason =
  | 'unknown-account'
  | 'headers-missing'
  | 'headers-malformed'
  | 'body-malformed'
  | 'charset-unsupported'
  | 'signature-type'
  | 'signature-malformed'
  | 'signature-mismatch'
  /** WeChat Pay tests now and then that a wrong signature is refused. */
  | 'signature-probe'
  /** Names a key that the account does not have. */
  | 'unknown-serial'
  | 'timestamp-stale'
  | 'timestamp-in-future'
  | 'no-active-key';

/** What became of a webhook. The first six are durable or need no durability, and are the only ones acknowledged. */
export type ReceiveOutcome =
  | 'stored'
  | 'rejected'
  /** Names no payment, only a trade that none of ours is known to be paid by: kept, and evaluated again by ourselves. */
  | 'kept'
  | 'duplicate'
  | 'not-handled'
  /** The provider has told more of this payment than is stored of one; told to an operator once. */
  | 'over-limit'
  | 'unknown-payment'
  | 'unavailable'
  | 'malformed'
  | 'too-large'
  | 'refused';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type AccountFields = Readonly<Record<string, unknown>> & { readonly path: string };

/** Long enough for an order that is just being opened or a store that restarts; providers that know the header obey it. */
export const RETRY_AFTER_SECONDS = 5;

export const STATUS_BY_OUTCOME: Readonly<Record<ReceiveOutcome, number>> = {
  stored: 200,
  rejected: 200,
  kept: 200,
  duplicate: 200,
  'not-handled': 200,
  'over-limit': 200,
  'unknown-payment': 503,
  unavailable: 503,
  malformed: 400,
  'too-large': 413,
  refused: 401,
};
