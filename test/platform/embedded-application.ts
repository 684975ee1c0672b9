/**
 * A minimal application for tests that kill one: opens the data directory, starts the servers named on the command line
 * (`postgres`, `rabbitmq`), prints one line of JSON about what runs or why not, and then waits to be killed.
 */
import { openDataDirectory, startEmbeddedPostgres, startEmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';

const [path = '', ...servers] = process.argv.slice(2);
try {
  const directory = await openDataDirectory(path);
  const options = { directory, log: silentLogger };
  const [postgres, rabbitmq] = await Promise.all([
    servers.includes('postgres') ? startEmbeddedPostgres(options) : null,
    servers.includes('rabbitmq') ? startEmbeddedRabbitMq(options) : null,
  ]);
  const running = [postgres, rabbitmq].filter((server) => server !== null).map(({ url, pid }) => ({ url, pid }));
  console.log(JSON.stringify({ pid: process.pid, running }));
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.log(JSON.stringify({ pid: process.pid, running: [], error: (error as Error).name, message: (error as Error).message }));
}
