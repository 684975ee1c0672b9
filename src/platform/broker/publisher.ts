/** A message as it goes to the broker; always persistent and `mandatory`. */
export interface OutgoingMessage {
  /** Exchange and routing key: the fanout exchange and `''`, or `''` and a queue's name to reach one queue only. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly messageId: string;
  readonly type: string;
  /** Seconds since 1970 (AMQP's own unit). */
  readonly timestampSeconds: number;
  readonly correlationId?: string;
  /** Scalars only. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Why a publish is not proven. In every case the message must be published again; some queues may hold it already. */
export type PublishFailureReason = 'nacked' | 'returned' | 'channel-lost' | 'confirm-timeout' | 'closed';

export class PublishFailure extends Error {
  readonly reason: PublishFailureReason;
  constructor(reason: PublishFailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PublishFailure';
    this.reason = reason;
  }
}

/**
 * One confirm channel with a bounded window. After the first failure the publisher is broken for good: every message in
 * flight and every later `send` rejects, and the owner opens a new one and goes back to its last proven position.
 */
export interface ConfirmPublisher {
  /** Resolves when at least one more message fits into the window; rejects with PublishFailure when broken. */
  room(): Promise<void>;
  /**
   * Writes the message out at once and settles when it is *proven*: confirmed by the broker and not returned as
   * unroutable. Rejects with PublishFailure. Messages are written in the order of the calls. A message that cannot be
   * encoded is rejected with RangeError before it is written, and the publisher stays usable.
   */
  send(message: OutgoingMessage): Promise<void>;
  readonly inFlight: number;
  /** Null while usable. */
  readonly failure: PublishFailure | null;
  /** Resolves with the failure when there is one, also while nothing is in flight; `close` counts as one. */
  readonly broken: Promise<PublishFailure>;
  /** Waits (bounded) for confirms in flight, then closes the channel. Never throws. */
  close(drainMs: number): Promise<void>;
}
