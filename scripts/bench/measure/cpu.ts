import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time in µs by who used it. The threads of this process are told apart: the application's event loop, the
 * embedded event store's thread, and what Node does beside them (garbage collection, compilation, its pool).
 */
export interface Cpu {
  readonly eventLoop: number;
  readonly eventStore: number;
  readonly runtime: number;
  readonly broker: number;
  readonly postgres: number;
}

/** Linux counts in ticks of 10 ms; measurements last seconds. */
const TICK_US = 10_000;
export const EVENT_STORE_THREAD = 'event-store';

export function readCpu(pids: { readonly broker: number; readonly postgres: number }): Cpu {
  const { user, system } = process.threadCpuUsage();
  const eventStore = readThreadUs(EVENT_STORE_THREAD);
  const whole = process.cpuUsage();
  const processes = readProcesses();
  return {
    eventLoop: user + system,
    eventStore,
    runtime: Math.max(0, whole.user + whole.system - user - system - eventStore),
    broker: treeUs(processes, pids.broker),
    postgres: treeUs(processes, pids.postgres),
  };
}

/** Processor time so far of the threads of this process that have this name. */
export function readThreadUs(threadName: string): number {
  return sum(threadsOfThisProcess().filter(({ name }) => name === threadName).map(({ us }) => us));
}

export function cpuBetween(from: Cpu, to: Cpu): Cpu {
  return Object.fromEntries((Object.keys(from) as (keyof Cpu)[]).map((key) => [key, to[key] - from[key]])) as unknown as Cpu;
}

export function totalUs(cpu: Cpu): number {
  return sum(Object.values(cpu) as number[]);
}

/** Processor time of the whole machine in µs, so that a reader sees how much of it others had, and how much nobody. */
export interface Machine {
  readonly busy: number;
  readonly idle: number;
}

export function readMachine(): Machine {
  const [, ...ticks] = (readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '').split(/\s+/).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, softInterrupts = 0] = ticks;
  return { busy: (user + nice + system + interrupts + softInterrupts) * TICK_US, idle: (idle + waiting) * TICK_US };
}

function threadsOfThisProcess(): { name: string; us: number }[] {
  return readdirSync('/proc/self/task').flatMap((id) => {
    const stat = readStat(`/proc/self/task/${id}/stat`);
    return stat === null ? [] : [{ name: stat.name, us: stat.ownUs }];
  });
}

interface Stat {
  readonly name: string;
  readonly parent: number;
  readonly ownUs: number;
  /** Of children that have ended and been waited for. */
  readonly childrenUs: number;
}

function readProcesses(): ReadonlyMap<number, Stat> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(pids.flatMap((pid) => {
    const stat = readStat(`/proc/${pid}/stat`);
    return stat === null ? [] : [[Number(pid), stat] as const];
  }));
}

/** The server and everything below it; a process that ends during the measurement is in its parent's account. */
function treeUs(processes: ReadonlyMap<number, Stat>, pid: number): number {
  const self = processes.get(pid);
  if (self === undefined) return 0;
  const children = [...processes].filter(([, stat]) => stat.parent === pid);
  return self.ownUs + self.childrenUs + sum(children.map(([child]) => treeUs(processes, child)));
}

/** Null for a process or thread that has just ended. The name may contain blanks and is enclosed in parentheses. */
function readStat(path: string): Stat | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(text) ?? [];
  const fields = rest.split(' ').map(Number);
  const field = (number: number): number => fields[number - 3] ?? 0;
  return { name, parent: field(4), ownUs: (field(14) + field(15)) * TICK_US, childrenUs: (field(16) + field(17)) * TICK_US };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
