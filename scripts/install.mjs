/**
 * Makes a bare machine ready: dependencies, the generated database client, a RabbitMQ to start privately.
 *
 *     node scripts/install.mjs [--no-services]
 *
 * Plain JavaScript without dependencies, for Node 20.19 or newer, because it runs before there is anything else. It looks
 * at each step first and is silent and fast when there is nothing to do. `--no-services` leaves RabbitMQ out.
 * Of the environment it reads what decides whether a broker is needed (embedded.mjs).
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { brokerStep } from './install/broker.mjs';
import { dependenciesStep } from './install/dependencies.mjs';
import { startsBroker } from './install/embedded.mjs';
import { generatedClientStep } from './install/generated-client.mjs';
import { linksStep } from './install/links.mjs';
import { withInstallLock } from './install/lock.mjs';
import { InstallError, say } from './install/report.mjs';

const root = resolve(import.meta.dirname, '..');
// Some of the programs below refuse to run with a TMPDIR that does not exist.
if (!existsSync(tmpdir())) process.env.TMPDIR = '/tmp';
const wantsBroker = !process.argv.includes('--no-services') && startsBroker(process.env);

const steps = [dependenciesStep(root), linksStep(root), generatedClientStep(root), ...(wantsBroker ? [brokerStep(root)] : [])];

try {
  checkPath(root);
  if (steps.some((step) => step.isNeeded())) {
    await withInstallLock(root, async () => {
      // Another installation may just have done a step while this one waited for its turn.
      for (const step of steps) if (step.isNeeded()) await step.run();
    });
    say('ready');
  }
} catch (error) {
  if (!(error instanceof InstallError)) throw error;
  console.error(`\npaynotify: ${error.message}\n`);
  process.exitCode = 1;
}

/**
 * A colon ends an entry of PATH, which npm puts this folder into; initdb hands its own path to a shell in double quotes;
 * Node takes every * of a package's path for the one in its list of exports. Blanks and any language's letters are fine.
 */
function checkPath(folder) {
  const found = /[:"$`*]/.exec(folder)?.[0];
  if (found !== undefined) throw new InstallError(`the path of this folder contains ${found}, which not all the programs that are started here can cope with: ${folder}\nMove it, or name the folder otherwise.`);
}
