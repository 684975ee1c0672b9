import { GenerationCache } from './generation-cache.ts';

/** The real server remembers about 8 MiB of ids; at some 100 bytes each that is twice this number. */
const GENERATION_IDS_MAX = 40_000;

/** Which event was written where, lately. Lost on restart, as on the real server. */
export class RecentEventIds {
  readonly #places = new GenerationCache<{ streamId: number; revision: number }>(GENERATION_IDS_MAX);

  remember(id: string, streamId: number, revision: number): void {
    this.#places.set(id, { streamId, revision });
  }

  /** null for an id that is unknown or was last seen in another stream. */
  find(id: string, streamId: number): number | null {
    const place = this.#places.get(id);
    return place !== undefined && place.streamId === streamId ? place.revision : null;
  }

  clear(): void {
    this.#places.clear();
  }
}
