import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cpuBetween, readCpu, readMachine, totalUs, type Cpu } from './cpu.ts';

export interface Measurement {
  /** Payments (or appends, or webhooks) done. */
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly cpu: Cpu;
  /** Cores that processes outside the bench used on average, and that nobody used. */
  readonly coresOfOthers: number;
  readonly coresIdle: number;
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
const US_PER_SECOND = 1e6;

/** One measurement at a time; `start` and `stop` each take a few ms to look at the processes. */
export function createMeter(pids: { readonly broker: number; readonly postgres: number }): Meter {
  return {
    start() {
      const delay = monitorEventLoopDelay({ resolution: SAMPLING_MS });
      const [before, machineBefore] = [readCpu(pids), readMachine()];
      delay.enable();
      const startedAt = performance.now();
      return {
        stop(count, notes = {}) {
          const seconds = (performance.now() - startedAt) / 1000;
          delay.disable();
          const [cpu, machine] = [cpuBetween(before, readCpu(pids)), readMachine()];
          const cores = (us: number): number => Math.max(0, us / seconds / US_PER_SECOND);
          const loopDelayP99Ms = Math.max(0, delay.percentile(99) / NS_PER_MS - SAMPLING_MS);
          const coresOfOthers = cores(machine.busy - machineBefore.busy - totalUs(cpu));
          return { count, seconds, perSecond: count / seconds, cpu, coresOfOthers, coresIdle: cores(machine.idle - machineBefore.idle), loopDelayP99Ms, notes };
        },
      };
    },
  };
}
