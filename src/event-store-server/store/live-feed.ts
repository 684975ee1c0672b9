/** Wakes whoever waits for new events. Called after the commit, so what is announced can be read. */
export class LiveFeed {
  readonly #all = new Set<() => void>();
  readonly #byStream = new Map<string, Set<() => void>>();

  /** Returns the call that ends the watch. */
  watchAll(wake: () => void): () => void {
    this.#all.add(wake);
    return () => this.#all.delete(wake);
  }

  watchStream(name: string, wake: () => void): () => void {
    const watchers = this.#byStream.get(name) ?? new Set();
    this.#byStream.set(name, watchers);
    watchers.add(wake);
    return () => {
      watchers.delete(wake);
      if (watchers.size === 0) this.#byStream.delete(name);
    };
  }

  announce(streamNames: ReadonlySet<string>): void {
    if (streamNames.size === 0) return;
    for (const wake of this.#all) wake();
    for (const name of streamNames) {
      for (const wake of this.#byStream.get(name) ?? []) wake();
    }
  }
}
