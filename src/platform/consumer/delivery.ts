import type { AsyncMessage } from 'rabbitmq-client';
import { DELIVERY_COUNT_HEADER, MESSAGE_HEADERS, type PaymentMessage } from '../../contracts/payment-messages.ts';
import { parseMessage, type ParsedMessage } from './parse-message.ts';

/** One message as it came from a queue (or from the table of parked ones), understood as far as possible. */
export interface Delivery {
  /** Delivery tag: valid on its own channel only. 0 for a message that did not come from the broker. */
  readonly tag: number;
  /** How often it came back without an outcome; 0 on the first delivery. */
  readonly deliveryCount: number;
  readonly parsed: ParsedMessage;
  readonly replay: Replayed | null;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Only needed when the message is parked, so it is made only then. */
  bytes(): Buffer;
}

export interface Replayed {
  readonly id: string;
  /** True: the effect is written again even if the ledger says it was applied. */
  readonly reapply: boolean;
}

/** A delivery that a module can be asked about. */
export type ReadableDelivery = Delivery & { readonly parsed: { readonly message: PaymentMessage } };

export function isReadable(delivery: Delivery): delivery is ReadableDelivery {
  return 'message' in delivery.parsed;
}

/** `messageId` is kept among the headers under this name: it is needed again when a parked message is redriven. */
export const MESSAGE_ID_HEADER = 'amqp-message-id';

export function toDelivery(message: AsyncMessage): Delivery {
  const { deliveryTag, contentType, messageId } = message;
  const body: unknown = message.body;
  // A sender's own header of that name must not pass for the property.
  const headers: Record<string, unknown> = { ...(message.headers as Record<string, unknown> | undefined), [MESSAGE_ID_HEADER]: messageId };
  const count = Number(headers[DELIVERY_COUNT_HEADER] ?? 0);
  return {
    tag: deliveryTag,
    deliveryCount: Number.isSafeInteger(count) ? count : 0,
    parsed: parseMessage(body, messageId),
    replay: replayOf(headers),
    headers,
    bytes: () => bytesOf(body, contentType),
  };
}

/** The delivery that a parked row was, for another try. */
export function fromParked(body: Uint8Array, headers: Readonly<Record<string, unknown>>): Delivery {
  const bytes = Buffer.from(body);
  const messageId = headers[MESSAGE_ID_HEADER];
  return {
    tag: 0,
    deliveryCount: 0,
    parsed: parseMessage(bytes, typeof messageId === 'string' ? messageId : undefined),
    replay: replayOf(headers),
    headers,
    bytes: () => bytes,
  };
}

function replayOf(headers: Readonly<Record<string, unknown>>): Replayed | null {
  const id = headers[MESSAGE_HEADERS.replayId];
  if (typeof id !== 'string') return null;
  return { id, reapply: headers[MESSAGE_HEADERS.replayMode] === 'reapply' };
}

/** The client has parsed JSON already; what is stored then is the same value, written out again. */
function bytesOf(body: unknown, contentType: string | undefined): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string' && contentType !== 'application/json') return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}
