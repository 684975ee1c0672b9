import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cpuBetween, readCpu, type Cpu } from './cpu.ts';

export interface Measurement {
  /** Payments (or appends, or webhooks) done. */
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly cpu: Cpu;
  /** Event loop of this process, without the sampling interval. */
  readonly loopDelayP99Ms: number;
  /** What only some stages know, for the report. */
  readonly notes: Readonly<Record<string, number>>;
}

export interface Meter {
  start(): Running;
}

export interface Running {
  stop(count: number, notes?: Readonly<Record<string, number>>): Measurement;
}

const SAMPLING_MS = 5;
const NS_PER_MS = 1e6;

/** One measurement at a time; `start` and `stop` each take a few ms to look at the processes. */
export function createMeter(pids: { readonly broker: number; readonly postgres: number }): Meter {
  return {
    start() {
      const delay = monitorEventLoopDelay({ resolution: SAMPLING_MS });
      const before = readCpu(pids);
      delay.enable();
      const startedAt = performance.now();
      return {
        stop(count, notes = {}) {
          const seconds = (performance.now() - startedAt) / 1000;
          delay.disable();
          const cpu = cpuBetween(before, readCpu(pids));
          const loopDelayP99Ms = Math.max(0, delay.percentile(99) / NS_PER_MS - SAMPLING_MS);
          return { count, seconds, perSecond: count / seconds, cpu, loopDelayP99Ms, notes };
        },
      };
    },
  };
}
