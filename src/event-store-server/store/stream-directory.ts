import { recordedEventData } from '../wire/recorded-event.ts';
import type { EventLog } from './event-log.ts';
import { GenerationCache } from './generation-cache.ts';
import { METASTREAM_METADATA, NO_METADATA, isMetastream, metastreamOf, originalStreamOf, parseStreamMetadata } from './stream-metadata.ts';
import type { StreamMetadata } from './stream-metadata.ts';

/** Between one and two times this many streams are kept in memory, at about 200 bytes each; the rest is looked up again. */
const GENERATION_STREAMS_MAX = 25_000;

export interface StreamState {
  readonly name: string;
  /** null until the first event is written. */
  id: number | null;
  lastRevision: number;
  tombstoned: boolean;
  /** null until asked for, and again after the metadata changed. */
  metadata: StreamMetadata | null;
}

/** Finds streams by name, with a cache. Writers change the cached state together with the log. */
export class StreamDirectory {
  readonly #log: EventLog;
  readonly #states: GenerationCache<StreamState>;

  /** A write must not use more names than `generationStreamsMax`, or it would work on a state that was forgotten meanwhile. */
  constructor(log: EventLog, generationStreamsMax = GENERATION_STREAMS_MAX) {
    this.#log = log;
    this.#states = new GenerationCache(generationStreamsMax);
  }

  get(name: string): StreamState {
    const cached = this.#states.get(name);
    if (cached !== undefined) return cached;
    const state = this.#load(name);
    this.#states.set(name, state);
    return state;
  }

  /** The id of the stream, made now if it has none. Only inside a transaction. */
  ensureId(state: StreamState): number {
    state.id ??= this.#log.insertStream(state.name);
    return state.id;
  }

  metadata(state: StreamState): StreamMetadata {
    state.metadata ??= this.#loadMetadata(state.name);
    return state.metadata;
  }

  hasMetadata(state: StreamState): boolean {
    return this.get(metastreamOf(state.name)).lastRevision >= 0;
  }

  /** The metadata as it was written, or null. */
  rawMetadata(name: string): string | null {
    const metastream = this.get(metastreamOf(name));
    if (metastream.id === null || metastream.lastRevision < 0) return null;
    const entry = this.#log.at(metastream.id, metastream.lastRevision);
    return entry === null ? null : recordedEventData(entry.record).toString('utf8');
  }

  /** The metadata of a tombstoned stream is gone with it. */
  isTombstoned(state: StreamState): boolean {
    return state.tombstoned || (isMetastream(state.name) && this.get(originalStreamOf(state.name)).tombstoned);
  }

  /** After a rolled-back transaction nothing remembered can be trusted. */
  clear(): void {
    this.#states.clear();
  }

  #load(name: string): StreamState {
    const { hasMetastream, ...found } = this.#log.findStream(name);
    // The usual stream has no metadata, and is then looked up only once.
    return { name, ...found, metadata: hasMetastream || isMetastream(name) ? null : NO_METADATA };
  }

  #loadMetadata(name: string): StreamMetadata {
    if (isMetastream(name)) return METASTREAM_METADATA;
    const json = this.rawMetadata(name);
    return json === null ? NO_METADATA : parseStreamMetadata(json);
  }
}
