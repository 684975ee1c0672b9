import { MESSAGE_HEADERS } from '../../contracts/payment-messages.ts';
import { MODULE_QUEUES } from '../../contracts/topology.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import type { OutgoingMessage } from '../../platform/broker/publisher.ts';
import { parseMessage } from '../../platform/consumer/parse-message.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { isHeldByAll, type Holdings } from './module-holdings.ts';
import { modulesOf } from './replay-store.ts';

/** A part of a replay between two stores of progress. */
export interface Chunk {
  readonly messages: readonly OutgoingMessage[];
  /** Messages that this replay sent before a crash and that have their outcome: they count, but are not sent again. */
  readonly sentBefore: number;
  readonly skipped: number;
  /** Ids of events whose message no module could read. */
  readonly unreadable: readonly string[];
  /** Position up to which the log is dealt with once the messages are confirmed. */
  readonly upTo: bigint;
}

type ToMessage = (event: StoredEvent) => OutgoingMessage | null;
type ReplayTarget = Pick<Replay, 'id' | 'module' | 'mode'>;

export interface PageOfReplay {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** Position up to which the page deals with the log. */
  readonly end: bigint;
  /** What each module holds; null in mode `reapply`, where nothing is skipped. */
  readonly held: Holdings | null;
  /** What has its outcome of this very replay, per module. */
  readonly settled: Holdings;
}

/** Pure: cuts a page into chunks of at most `chunkSize` messages. The last chunk reaches the page's end even without a message. */
export function planChunks({ events, end, held, settled }: PageOfReplay, chunkSize: number, replay: ReplayTarget, toMessage: ToMessage): Chunk[] {
  const chunks: Chunk[] = [];
  let open = emptyChunk();
  for (const event of events) {
    const message = toMessage(event);
    if (message === null) continue;
    if (open.messages.length === chunkSize) {
      chunks.push(open);
      open = emptyChunk();
    }
    if (isHeldByAll(settled, event.id)) open.sentBefore++;
    else if (held !== null && isHeldByAll(held, event.id)) open.skipped++;
    else if (isReadable(message)) open.messages.push(addressed(message, replay));
    else open.unreadable.push(event.id);
    open.upTo = event.position;
  }
  return [...chunks, { ...open, upTo: end }];
}

function emptyChunk() {
  return { messages: [] as OutgoingMessage[], sentBefore: 0, skipped: 0, unreadable: [] as string[], upTo: -1n };
}

/** The same check as the modules': a message they would park as unreadable has no outcome that could be counted. */
function isReadable(message: OutgoingMessage): boolean {
  return 'message' in parseMessage(message.body, message.messageId);
}

/** To one module: straight into its queue, so that no other subscriber sees it. To all: through the exchange. */
function addressed(message: OutgoingMessage, replay: ReplayTarget): OutgoingMessage {
  const headers = { ...message.headers, [MESSAGE_HEADERS.replayId]: replay.id, [MESSAGE_HEADERS.replayMode]: replay.mode };
  if (replay.module === 'all') return { ...message, headers };
  const [module] = modulesOf(replay);
  return { ...message, headers, exchange: '', routingKey: MODULE_QUEUES[module as keyof typeof MODULE_QUEUES] };
}
