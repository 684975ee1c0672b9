import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DEFAULT_BEHAVIOUR } from './calls/subscription-behaviour.ts';
import type { EventStoreServerOptions } from './server.ts';
import { startEventStoreServer } from './server.ts';

/** How often is looked whether the parent still lives; an orphan then ends within this time. */
const PARENT_CHECK_INTERVAL_MS = 500;

const USAGE = 'usage: npm run event-store -- --port PORT (--data DIRECTORY | --memory) [--checkpoints (seen-place | next-place)] [--slow-readers (catch-up | end)]';

const OPTIONS = {
  port: { type: 'string', default: '2113' },
  data: { type: 'string' },
  memory: { type: 'boolean', default: false },
  checkpoints: { type: 'string', default: DEFAULT_BEHAVIOUR.checkpoints },
  'slow-readers': { type: 'string', default: DEFAULT_BEHAVIOUR.slowReaders },
} as const;

/** Null for arguments that this program does not know, or that do not go together. */
function readArguments(): EventStoreServerOptions | null {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    const { checkpoints, 'slow-readers': slowReaders } = values;
    const port = Number(values.port);
    const oneStore = (values.data !== undefined) !== values.memory;
    if (!oneStore || !Number.isInteger(port) || port < 0 || port > 65_535) return null;
    if (checkpoints !== 'seen-place' && checkpoints !== 'next-place') return null;
    if (slowReaders !== 'catch-up' && slowReaders !== 'end') return null;
    return { port, directory: values.data ?? null, checkpoints, slowReaders };
  } catch {
    return null;
  }
}

/** Resolves on a signal, or when the process that started this one is gone. */
function endAsked(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolve();
    }, PARENT_CHECK_INTERVAL_MS).unref();
    // A terminal or /dev/null says nothing about the parent; the end of a pipe does, and at once.
    if (!stdinIsPipe()) return;
    process.stdin.on('end', resolve).on('error', resolve);
    process.stdin.resume();
  });
}

/** False also when there is no standard input at all. */
function stdinIsPipe(): boolean {
  try {
    const stdin = fstatSync(0);
    return stdin.isFIFO() || stdin.isSocket();
  } catch {
    return false;
  }
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  const ended = endAsked();
  const server = await startEventStoreServer(options);
  console.log(`LISTENING ${server.port}`);
  const failure = await Promise.race([ended.then(() => null), server.broken]);
  await server.close();
  if (failure !== null) throw failure;
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`event store: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
process.exit();
