/**
 * Bounds the memory of all bodies that are read or worked on at once. Room is taken for the whole body before any of it is
 * read, so that what was begun can be finished; where there is none, nothing is read.
 */
export interface BodyBudget {
  /** @returns gives the room back, once however often it is called; null when there is none. */
  reserve(bytes: number): (() => void) | null;
  readonly reservedBytes: number;
}

/** Bodies of up to `bodyBytesMax` may fill the budget up to `reservedBytesMax`. */
export interface BudgetShare {
  readonly bodyBytesMax: number;
  readonly reservedBytesMax: number;
}

/**
 * @param shares smallest bodies first, each share larger than the next: what is small still finds room when the large ones
 * have filled theirs, however slowly those come.
 */
export function createBodyBudget(shares: readonly BudgetShare[], onChange: (reservedBytes: number) => void = () => undefined): BodyBudget {
  let reservedBytes = 0;
  const change = (bytes: number): void => onChange((reservedBytes += bytes));
  return {
    reserve(bytes) {
      const share = shares.find(({ bodyBytesMax }) => bytes <= bodyBytesMax);
      if (share === undefined || reservedBytes + bytes > share.reservedBytesMax) return null;
      change(bytes);
      let isHeld = true;
      return () => {
        if (isHeld) change(-bytes);
        isHeld = false;
      };
    },
    get reservedBytes() {
      return reservedBytes;
    },
  };
}
