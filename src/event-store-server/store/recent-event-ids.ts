import { GenerationCache } from './generation-cache.ts';

/** The real server remembers about 8 MiB of ids; at some 100 bytes each that is twice this number. */
const GENERATION_IDS_MAX = 40_000;

interface WrittenAt {
  readonly streamId: number;
  readonly revision: number;
}

/**
 * Which event was written where, lately. Lost on restart, as on the real server. Each transaction ends with `committed` or
 * `rolledBack`: one that fails takes only its own ids with it, so that a retry of an earlier event is still recognised.
 */
export class RecentEventIds {
  readonly #places = new GenerationCache<WrittenAt>(GENERATION_IDS_MAX);
  /** Of the open transaction. */
  readonly #uncommitted = new Map<string, WrittenAt>();

  /** The first place of an id is remembered, as on the real server; later ones are not. */
  remember(id: string, streamId: number, revision: number): void {
    if (this.#placeOf(id) === undefined) this.#uncommitted.set(id, { streamId, revision });
  }

  /** null for an id that is unknown or was first seen in another stream. */
  find(id: string, streamId: number): number | null {
    const place = this.#placeOf(id);
    return place !== undefined && place.streamId === streamId ? place.revision : null;
  }

  committed(): void {
    for (const [id, place] of this.#uncommitted) this.#places.set(id, place);
    this.#uncommitted.clear();
  }

  rolledBack(): void {
    this.#uncommitted.clear();
  }

  #placeOf(id: string): WrittenAt | undefined {
    return this.#uncommitted.get(id) ?? this.#places.get(id);
  }
}
