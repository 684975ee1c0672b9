/**
 * Measures the program against the raw limits of what it is made of, and against a naive way, on servers of its own:
 *
 *     npm run bench [-- --quick]
 *
 * Prints a table and writes .data/bench.json. It is no test of time and never fails for being slow; it fails when what
 * was stored and what was effected are not the same. docs/BENCH.md says how to read the numbers.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { measureEventStore } from './event-store/measure-event-store.ts';
import { storeReportOf } from './event-store/store-report.ts';
import { prepare } from './setup/bench.ts';
import { reportOf, resultsOf } from './report.ts';
import { runRound, type Round } from './rounds.ts';
import { countsOf } from './setup/counts.ts';

const OUTPUT = resolve(import.meta.dirname, '../../.data/bench.json');
const startedAt = performance.now();
const elapsedMs = (): number => performance.now() - startedAt;
const say = (text: string): void => console.error(`[${(elapsedMs() / 1000).toFixed(0).padStart(4)} s] ${text}`);

async function main(): Promise<void> {
  const counts = countsOf(process.argv.slice(2));
  const eventStore = await measureEventStore(counts.store, say);
  const beganAt = elapsedMs();
  const bench = await prepare(counts, say);
  const stop = (): void => void bench.close().finally(() => process.exit(1));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const rounds: Round[] = [];
  try {
    for (let number = 0; number < counts.rounds && (number === 0 || elapsedMs() - beganAt < counts.roundsBeginWithinMs); number++) {
      rounds.push(await runRound(bench, number, say));
    }
  } finally {
    await bench.close();
  }
  if (rounds.length < counts.rounds) say(`the machine is slow: ${rounds.length} of ${counts.rounds} rounds`);
  await mkdir(resolve(OUTPUT, '..'), { recursive: true });
  await writeFile(OUTPUT, `${JSON.stringify({ counts, results: resultsOf(rounds), rounds, eventStore }, null, 2)}\n`);
  console.log(`\n${storeReportOf(eventStore)}\n\n${reportOf(rounds)}\n\n${counts.backlog} payments, ${rounds.length} rounds, ${(elapsedMs() / 1000).toFixed(0)} s in all; stored = effected in every round.`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
