/** Resolves `reached` at the count-th `add`, and remembers what happened then. */
export interface Counter {
  readonly value: number;
  readonly reached: Promise<void>;
  add(): void;
}

export function createCounter(count: number, onReached: () => void = () => undefined): Counter {
  const reached = Promise.withResolvers<void>();
  let value = 0;
  return {
    get value() {
      return value;
    },
    reached: reached.promise,
    add() {
      if (++value !== count) return;
      onReached();
      reached.resolve();
    },
  };
}

/** Runs `work(0)` … `work(count - 1)`, `concurrency` at a time. */
export async function inParallel(count: number, concurrency: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(concurrency, count) }, async () => {
      while (next < count) await work(next++);
    }),
  );
}
