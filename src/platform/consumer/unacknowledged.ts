export interface Acknowledgement {
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

/**
 * What one channel still owes an acknowledgement for. Tags arrive in ascending order and are settled in any order; a
 * message that waits for its next attempt leaves a hole, and what is done behind the hole is acknowledged one by one, so
 * that it never uses up the prefetch window.
 */
export interface Unacknowledged {
  readonly size: number;
  add(tag: number): void;
  /** @returns what to send for `tags`: one multiple for the contiguous done prefix, then the rest; unknown tags are ignored. */
  settle(tags: readonly number[]): Acknowledgement[];
}

export function createUnacknowledged(): Unacknowledged {
  const open = new Set<number>();
  return {
    get size() {
      return open.size;
    },
    add: (tag) => void open.add(tag),
    settle(tags) {
      const done = new Set(tags.filter((tag) => open.has(tag)));
      const prefix: number[] = [];
      for (const tag of open) {
        if (!done.has(tag)) break;
        prefix.push(tag);
      }
      for (const tag of done) open.delete(tag);
      for (const tag of prefix) done.delete(tag);
      const last = prefix.at(-1);
      const first = last === undefined ? [] : [{ deliveryTag: last, multiple: prefix.length > 1 }];
      return [...first, ...[...done].map((deliveryTag) => ({ deliveryTag, multiple: false }))];
    },
  };
}
