import { listenForStop } from './platform/process/stop-request.ts';

/*
 * A signal is answered from the first line on. Loading the program takes half a second in which it would simply end the
 * process, so nothing else is imported above it.
 */
const stop = listenForStop();
const { run } = await import('./run.ts');
process.exit(await run(stop, process.env));
