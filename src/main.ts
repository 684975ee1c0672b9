import { setImmediate as nextTurn } from 'node:timers/promises';
import { listenForStop } from './platform/process/stop-request.ts';

/*
 * A signal is answered from the first line on. Loading the program takes half a second in which it would simply end the
 * process, so nothing else is imported above it. What came meanwhile is told in the next turn of the event loop.
 * With an argument nothing is started: command.ts tells something of the program that runs beside it.
 */
const args = process.argv.slice(2);
if (args.length > 0) {
  const { runCommand } = await import('./command.ts');
  process.exit(await runCommand(args, process.env));
}
const stop = listenForStop();
const { run } = await import('./run.ts');
await nextTurn();
process.exit(await run(stop, process.env));
