import { openConnection } from '../../../src/platform/event-store/connection.ts';
import { readThreadUs } from '../measure/cpu.ts';
import type { ClientWork } from './client-work.ts';

/** One server in the comparison. */
export interface Contestant {
  readonly connectionString: string;
  readonly thread: string;
}

export interface Run {
  readonly perSecond: number;
  /** Processor time per unit of work: of this thread, which is the client's, and of the server's thread. */
  readonly clientUs: number;
  readonly serverUs: number;
  /** Share of the time in which the client's event loop had something to do. The rest it waited for the server. */
  readonly clientBusy: number;
}

export interface ComparedRound {
  readonly ours: Run;
  readonly limit: Run;
}

/**
 * Both do the same work right after each other, in turns first and second, so that a busy minute disturbs both. A round
 * before the first one is not counted: it compiles.
 */
export async function compare(work: ClientWork, ours: Contestant, limit: Contestant, rounds: number): Promise<ComparedRound[]> {
  const compared: ComparedRound[] = [];
  for (let round = -1; round < rounds; round++) {
    const oursFirst = round % 2 === 0;
    const first = await runOnce(work, oursFirst ? ours : limit);
    const second = await runOnce(work, oursFirst ? limit : ours);
    if (round >= 0) compared.push(oursFirst ? { ours: first, limit: second } : { ours: second, limit: first });
  }
  return compared;
}

async function runOnce(work: ClientWork, { connectionString, thread }: Contestant): Promise<Run> {
  const connection = openConnection(connectionString);
  const run = work.prepare();
  try {
    const [cpu, serverUs, loop, startedAt] = [process.threadCpuUsage(), readThreadUs(thread), performance.eventLoopUtilization(), performance.now()];
    await run(connection.client);
    const seconds = (performance.now() - startedAt) / 1000;
    const used = process.threadCpuUsage(cpu);
    return {
      perSecond: work.count / seconds,
      clientUs: (used.user + used.system) / work.count,
      serverUs: (readThreadUs(thread) - serverUs) / work.count,
      clientBusy: performance.eventLoopUtilization(loop).utilization,
    };
  } finally {
    await connection.close();
  }
}
