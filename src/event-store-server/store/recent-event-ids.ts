/**
 * The real server remembers about 8 MiB of ids; at some 100 bytes each that is this many.
 * Two generations are kept, so between one and two times this number.
 */
const GENERATION_IDS_MAX = 40_000;

interface Place {
  streamId: number;
  revision: number;
}

/** Which event was written where, lately. Lost on restart, as on the real server. */
export class RecentEventIds {
  #young = new Map<string, Place>();
  #old = new Map<string, Place>();

  remember(id: string, streamId: number, revision: number): void {
    if (this.#young.size >= GENERATION_IDS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, { streamId, revision });
  }

  /** null for an id that is unknown or was last seen in another stream. */
  find(id: string, streamId: number): number | null {
    const place = this.#young.get(id) ?? this.#old.get(id);
    return place !== undefined && place.streamId === streamId ? place.revision : null;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
