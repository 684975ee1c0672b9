/** Wakes the one loop that waits for it. A ring while nobody waits is kept, so nothing that arrives is slept through. */
export interface Bell {
  readonly ring: () => void;
  /** Resolves at the next ring, or after `ms`; null = only a ring ends it. */
  wait(ms: number | null): Promise<void>;
}

export function createBell(): Bell {
  let rung = Promise.withResolvers<undefined>();
  return {
    ring: () => rung.resolve(undefined),
    async wait(ms) {
      let timer: NodeJS.Timeout | undefined;
      const over = ms === null ? [] : [new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms, undefined)))];
      await Promise.race([rung.promise, ...over]);
      clearTimeout(timer);
      rung = Promise.withResolvers();
    },
  };
}
