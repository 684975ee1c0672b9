import type { ProposedEvent } from '../../../src/event-store-server/wire/proposed-event.ts';
import type { ExpectedRevision } from '../../../src/event-store-server/wire/write-options.ts';

/** What the store is to hold, as plain lists and without a file: each rule here is written the long way round. */
export interface ModelEvent {
  readonly stream: string;
  readonly revision: number;
  /** null for an event that the store makes itself. */
  readonly id: string | null;
  readonly data: string;
  readonly createdMs: number;
  /** Learnt from the log after the commit. */
  position: number;
}

export type ModelOutcome =
  /** `at` is the event whose position is answered, if one is; null for the empty log. */
  | { kind: 'stored'; revision: number; at: ModelEvent | null; hidden?: boolean }
  | { kind: 'wrong_version'; current: number }
  | { kind: 'stream_deleted' };

interface Metadata {
  $tb?: number;
  $maxCount?: number;
  $maxAge?: number;
}

const TOMBSTONE = Number.MAX_SAFE_INTEGER;
const DELETED: ModelOutcome = { kind: 'stream_deleted' };
const SOFT_DELETE = '{"$tb":9223372036854775807}';
const MS_PER_S = 1_000;

const isMeta = (stream: string): boolean => stream.startsWith('$$');

export class StoreModel {
  readonly log: ModelEvent[] = [];
  readonly #streams = new Map<string, ModelEvent[]>();
  readonly #buried = new Set<string>();
  /** Ids that the store still remembers, each where it was written first. */
  readonly #recent = new Map<string, ModelEvent>();
  nowMs = 0;

  forgetIds(): void {
    this.#recent.clear();
  }

  /** The events without the tombstone. */
  events(stream: string): readonly ModelEvent[] {
    return this.#streams.get(stream) ?? [];
  }

  append(stream: string, expected: ExpectedRevision, events: readonly ProposedEvent[]): ModelOutcome {
    const before = this.events(stream).length;
    const refusal = this.#check(stream, expected, events.map(({ id }) => id));
    if (refusal !== null) return refusal;
    if (events.length === 0) return { kind: 'stored', revision: before - 1, at: this.log.at(-1) ?? null };
    const wasDeleted = this.#softDeleted(stream);
    const revived = isMeta(stream) && this.#softDeleted(stream.slice(2)) ? stream.slice(2) : null;
    for (const event of events) this.#write(stream, event.id, event.data.toString());
    const at = this.events(stream).at(-1) ?? null;
    if (wasDeleted) this.#startAt(stream, before);
    if (revived !== null) this.#startAt(revived, this.events(revived).length);
    return { kind: 'stored', revision: before + events.length - 1, at };
  }

  softDelete(stream: string, expected: ExpectedRevision): ModelOutcome {
    const refusal = this.#check(stream, expected, ['an id that was never used']);
    if (refusal !== null) return refusal;
    if (this.events(stream).length === 0 && this.events(`$$${stream}`).length === 0) return { kind: 'wrong_version', current: -1 };
    const at = this.#write(`$$${stream}`, null, SOFT_DELETE);
    return { kind: 'stored', revision: at.revision, at };
  }

  tombstone(stream: string, expected: ExpectedRevision): ModelOutcome {
    const refusal = this.#check(stream, expected, ['an id that was never used']);
    if (refusal !== null) return refusal;
    const at = { stream, revision: TOMBSTONE, id: null, data: '', createdMs: this.nowMs, position: 0 };
    this.log.push(at);
    this.#buried.add(stream);
    return { kind: 'stored', revision: TOMBSTONE, at };
  }

  /** What can be read of a stream, oldest first, or why nothing can. */
  readable(stream: string): 'deleted' | 'not_found' | { events: readonly ModelEvent[]; visible: (event: ModelEvent) => boolean } {
    if (this.#gone(stream)) return 'deleted';
    const events = this.events(stream);
    if (events.length === 0 || this.#softDeleted(stream)) return 'not_found';
    const { $tb = 0, $maxCount = Infinity, $maxAge = Infinity } = isMeta(stream) ? { $maxCount: 1 } : this.#metadata(stream);
    return {
      events: events.filter(({ revision }) => revision >= $tb && revision >= events.length - $maxCount),
      visible: ({ createdMs }) => createdMs >= this.nowMs - $maxAge * MS_PER_S,
    };
  }

  #check(stream: string, expected: ExpectedRevision, ids: readonly string[]): ModelOutcome | null {
    const events = this.events(stream);
    const wrong: ModelOutcome = { kind: 'wrong_version', current: events.length - 1 };
    if (this.#gone(stream)) return DELETED;
    if (expected === 'stream_exists' && this.#softDeleted(stream)) return DELETED;
    if (expected === 'stream_exists' && events.length === 0 && this.events(`$$${stream}`).length === 0) return wrong;
    if (typeof expected === 'string' && expected !== 'no_stream') {
      const written = ids.map((id) => this.#recent.get(id)).map((event) => (event?.stream === stream ? event : undefined));
      if (written[0] === undefined) return null;
      return written.includes(undefined) ? wrong : this.#repeated(written.at(-1));
    }
    const next = expected === 'no_stream' ? 0 : Number(expected) + 1;
    if (next === events.length) return null;
    const there = ids.map((_, index) => events[next + index]);
    if (ids.length > 0 && there.every((event, index) => event?.id === ids[index] && event !== undefined)) return this.#repeated(there.at(-1));
    const beginsAnew = next === 0 && this.#softDeleted(stream) && ids.length > 0 && there[0]?.id !== ids[0];
    return beginsAnew ? null : wrong;
  }

  /** The place of an event is answered only when a reader would get the event. */
  #repeated(at: ModelEvent | undefined): ModelOutcome {
    if (at === undefined) throw new Error('an append of events has a last one');
    const readable = this.readable(at.stream);
    const hidden = typeof readable === 'string' || !readable.events.includes(at) || !readable.visible(at);
    return { kind: 'stored', revision: at.revision, at, hidden };
  }

  #write(stream: string, id: string | null, data: string): ModelEvent {
    const events = this.#streams.get(stream) ?? [];
    const event = { stream, revision: events.length, id, data, createdMs: this.nowMs, position: 0 };
    this.#streams.set(stream, [...events, event]);
    this.log.push(event);
    if (id !== null && !this.#recent.has(id)) this.#recent.set(id, event);
    return event;
  }

  #startAt(stream: string, revision: number): void {
    this.#write(`$$${stream}`, null, JSON.stringify({ ...this.#metadata(stream), $tb: revision }));
  }

  #gone(stream: string): boolean {
    return this.#buried.has(stream) || (isMeta(stream) && this.#buried.has(stream.slice(2)));
  }

  #metadata(stream: string): Metadata {
    return JSON.parse(this.events(`$$${stream}`).at(-1)?.data ?? '{}') as Metadata;
  }

  #softDeleted(stream: string): boolean {
    return !isMeta(stream) && (this.#metadata(stream).$tb ?? 0) >= TOMBSTONE;
  }
}

