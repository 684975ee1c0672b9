import type { OrderType } from './codes.ts';
import type { PaymentEventType } from './payment-events.ts';

/** `messageType` of a payment success and of nothing else: consumers of the original system act on this word. */
export const PAYRESULT_NOTIFY = 'payresult_notify';

/** Events that are published, with the `messageType` each travels under. An event type not listed here is internal. */
export const MESSAGE_TYPES = {
  PaymentSucceeded: PAYRESULT_NOTIFY,
  PaymentAttemptFailed: 'payattemptfailed_notify',
  PaymentClosed: 'payclosed_notify',
  PaymentRefunded: 'payrefund_notify',
  PaymentRefundFailed: 'payrefundfailed_notify',
  PaymentDisputed: 'paydispute_notify',
  PaymentDisputeClosed: 'paydisputeclosed_notify',
} as const satisfies Partial<Record<PaymentEventType, string>>;

export type PublishedEventType = keyof typeof MESSAGE_TYPES;

/**
 * Raised when a field is renamed, goes away or changes its meaning, or when a new one is required; readers bring older
 * messages up to it (parse-message.ts) and refuse newer ones. A new field that they can do without does not raise it.
 *
 * It travels in the body alone. CloudEvents' optional `dataschema` would say the same in a header of every message, and
 * two places that name a version can contradict each other.
 */
export const MESSAGE_SCHEMA_VERSION = 3;

/**
 * RabbitMQ 4.x takes 16 MiB in one message and answers a larger one by closing the channel, and with it everything in
 * flight (`max_message_size`, 128 MiB before 4.0). An event of ours is 1 MiB at most; a foreign one in our streams may not be.
 */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * JSON body on the exchange, described for other services in docs/asyncapi.yaml. The first five fields are those of the original message row, so that an unmodified
 * consumer of the original system still works; the rest is ours.
 */
export interface PaymentMessage {
  /** Position of the event in the store's log ($all commit position) as a decimal string. Compares only within one `generation`. */
  readonly id: string;
  readonly messageType: string;
  /** outBusinessId: for a course order the course selection id. */
  readonly businessKey1: string;
  /** Order type: `60201` course, `60202` study materials. */
  readonly businessKey2: OrderType;
  readonly businessKey3: null;
  /** UUID of the event; equals the AMQP `message_id`. The identity under which a module applies it once. */
  readonly eventId: string;
  /** Event type, e.g. `PaymentSucceeded`; equals the AMQP `type`. */
  readonly type: PublishedEventType;
  /** When the store recorded the event, ISO 8601. */
  readonly recordedAt: string;
  /** MESSAGE_SCHEMA_VERSION of the sender; messages of version 1 do not have it. */
  readonly schemaVersion: number;
  /**
   * Which adoption of the event store `id` belongs to; rises when the store was replaced, or restored from a backup. What
   * is later in the log has the greater (generation, id). 1 in messages that do not have it.
   */
  readonly generation: number;
  readonly payment: {
    readonly payNo: string;
    readonly orderId: string;
    readonly userId: string;
    /** Integer minor units as a decimal string. */
    readonly amount: string;
    readonly currency: string;
    readonly provider: string;
    readonly account: string;
    readonly providerTradeNo: string;
    /** Present on PaymentSucceeded. */
    readonly paidAt?: string;
    /** What was paid where that is less than `amount`, by a discount of the provider's. Only on PaymentSucceeded. */
    readonly paidAmount?: string;
    /** Present on PaymentAttemptFailed. */
    readonly attemptId?: string;
    /** Present on PaymentAttemptFailed, PaymentRefundFailed and PaymentDisputed: the provider's code. */
    readonly reason?: string;
    /** Present on PaymentAttemptFailed and PaymentRefundFailed. */
    readonly failedAt?: string;
    /** Present on PaymentClosed and PaymentDisputeClosed. */
    readonly closedAt?: string;
    /** Present on PaymentRefunded and PaymentRefundFailed, as is `refundAmount`. Null where the provider told only the sum of all refunds. */
    readonly refundId?: string | null;
    readonly refundAmount?: string | null;
    /** Present on PaymentRefunded. */
    readonly refundedAt?: string;
    /** Present on PaymentDisputed and PaymentDisputeClosed, as is `disputedAmount`. */
    readonly disputeId?: string;
    readonly disputedAmount?: string;
    /** Present on PaymentDisputed: until when the provider takes evidence. */
    readonly dueBy?: string | null;
    /** Present on PaymentDisputed. */
    readonly disputedAt?: string;
    /**
     * Present on PaymentDisputeClosed, and on PaymentDisputed, where null means that it is open: the provider's word, e.g.
     * `won` or `lost`. What happened before the end may be told behind it.
     */
    readonly outcome?: string | null;
    /**
     * Present on PaymentRefunded, PaymentRefundFailed, PaymentDisputed and PaymentDisputeClosed, as is `refundDue`: all that
     * went back and did not come again, after this event. It may fall: what the last of these four in the log says, by
     * (generation, id), is what holds, and the only figure an effect should be computed from.
     */
    readonly refundedTotal?: string;
    /** What failed refunds have left to be given back again. */
    readonly refundDue?: string;
  };
}

/** Events after which less or more money has gone back than before: each says the net total. */
export const MONEY_RETURNED_TYPES: ReadonlySet<PublishedEventType> = new Set(['PaymentRefunded', 'PaymentRefundFailed', 'PaymentDisputed', 'PaymentDisputeClosed'] as const);

/** AMQP properties and headers of a published message. No `x-` names: AMQP 1.0 consumers would lose them. */
export const MESSAGE_HEADERS = {
  /** Set on messages that a replay sent: the replay's id. */
  replayId: 'replay-id',
  /** `missing` | `reapply`, beside `replay-id`. */
  replayMode: 'replay-mode',
  traceparent: 'traceparent',
  cloudEventsSpecVersion: 'cloudEvents_specversion',
  cloudEventsId: 'cloudEvents_id',
  cloudEventsType: 'cloudEvents_type',
  cloudEventsSource: 'cloudEvents_source',
  cloudEventsSubject: 'cloudEvents_subject',
  cloudEventsTime: 'cloudEvents_time',
} as const;

/** Set by quorum queues on a redelivered message: how often it came back without an outcome. */
export const DELIVERY_COUNT_HEADER = 'x-delivery-count';
