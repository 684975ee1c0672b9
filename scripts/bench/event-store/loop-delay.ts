import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { pause } from '../../../src/platform/process/backoff.ts';
import type { AppendOrder } from './append-load.ts';

const LOAD = resolve(import.meta.dirname, 'append-load.ts');
const SAMPLING_MS = 2;
const NS_PER_MS = 1e6;
/** The load compiles and connects before its effect is watched. */
const WARM_UP_MS = 600;

export interface Delays {
  readonly name: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Appends that the store acknowledged per second meanwhile, warm-up included; 0 without load. */
  readonly appendsPerSecond: number;
}

/**
 * How late this thread's timers are: with an idle store, with a store under load in its thread (as the application runs
 * it), and, to compare, with a store under the same load on this thread itself.
 */
export async function measureLoopDelays(directory: string, lastsMs: number): Promise<Delays[]> {
  const load = fork(LOAD, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    const worker = await startEventStoreWorker({ port: 0, directory: join(directory, 'thread') });
    const idle = { name: 'store in its thread, idle', ...(await delaysWhile(pause(lastsMs))), appendsPerSecond: 0 };
    const inThread = await underLoad('store in its thread, under load', load, worker.connectionString, lastsMs);
    await worker.stop();
    const server = await startEventStoreServer({ port: 0, directory: join(directory, 'loop') });
    const onLoop = await underLoad('store on this thread, under load', load, `esdb://127.0.0.1:${server.port}?tls=false`, lastsMs);
    await server.close();
    return [idle, inThread, onLoop];
  } finally {
    const ended = once(load, 'exit');
    load.kill();
    await ended;
  }
}

async function underLoad(name: string, load: ChildProcess, connectionString: string, lastsMs: number): Promise<Delays> {
  const order: AppendOrder = { connectionString, lastsMs: WARM_UP_MS + lastsMs };
  const reported = once(load, 'message') as Promise<[number]>;
  load.send(order);
  await pause(WARM_UP_MS);
  const delays = await delaysWhile(pause(lastsMs));
  const [appends] = await reported;
  return { name, ...delays, appendsPerSecond: (appends * 1000) / order.lastsMs };
}

async function delaysWhile(work: Promise<void>): Promise<Omit<Delays, 'name' | 'appendsPerSecond'>> {
  const delay = monitorEventLoopDelay({ resolution: SAMPLING_MS });
  delay.enable();
  await work;
  delay.disable();
  const late = (ns: number): number => Math.max(0, ns / NS_PER_MS - SAMPLING_MS);
  return { p50Ms: late(delay.percentile(50)), p99Ms: late(delay.percentile(99)), maxMs: late(delay.max) };
}
