import type { Trade } from './bind-trade.ts';

/** Payments and trades that became known in this process. Forgetting one is harmless: what waits is looked at anyway. */
export interface Arrivals {
  note(arrival: Arrival): void;
  /** What was noted since the last call. */
  take(): readonly Arrival[];
}

export interface Arrival {
  readonly payNo: string;
  /** That has paid it. */
  readonly trade?: Trade;
}

/** About 200 bytes each; more than arrive between two rounds. */
const ARRIVALS_MAX = 10_000;

export function createArrivals(countMax = ARRIVALS_MAX): Arrivals {
  let noted: Arrival[] = [];
  return {
    note: (arrival) => void (noted.length < countMax && noted.push(arrival)),
    take() {
      const taken = noted;
      noted = [];
      return taken;
    },
  };
}
