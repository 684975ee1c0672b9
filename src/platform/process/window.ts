/**
 * The windows between two durable stops, in which a crash repeats work but may not lose or double any. The code calls
 * `reach` at each of them; in production that does nothing. The fault tests pass a function that ends the process with
 * SIGKILL there, so that a crash happens at the exact place and not by sleeping and hoping.
 *
 * | window                | certain                          | not yet                          |
 * | --------------------- | -------------------------------- | -------------------------------- |
 * | `trade.bound`         | the trade belongs to the payment | its success is not stored        |
 * | `payment.appended`    | the event is in the store        | provider not answered, unpublished |
 * | `projector.published` | the message was handed to the socket | not confirmed by the broker  |
 * | `projector.confirmed` | the broker holds the message     | checkpoint not moved             |
 * | `consumer.executing`  | the transaction has begun        | nothing committed                |
 * | `consumer.committed`  | effect and ledger are committed  | message not acknowledged         |
 * | `replay.published`    | a part of a replay is confirmed  | its progress is not stored       |
 */
export type Window =
  | 'trade.bound'
  | 'payment.appended'
  | 'projector.published'
  | 'projector.confirmed'
  | 'consumer.executing'
  | 'consumer.committed'
  | 'replay.published';

/** `subject` names what is in the window (a payNo, event id or position), so that a test can pick one. */
export type ReachWindow = (window: Window, subject: string) => void;

export const passWindow: ReachWindow = () => undefined;
