/**
 * Makes a bare machine ready: dependencies, the generated database client, a RabbitMQ to start privately.
 *
 *     node scripts/install.mjs [--no-services]
 *
 * Plain JavaScript without dependencies, for Node 20.19 or newer, because it runs before there is anything else. It looks
 * at each step first and is silent and fast when there is nothing to do. `--no-services` leaves RabbitMQ out.
 * Of the environment it reads what decides whether a broker is needed (embedded.mjs).
 */
import { resolve } from 'node:path';
import { brokerStep } from './install/broker.mjs';
import { dependenciesStep } from './install/dependencies.mjs';
import { startsBroker } from './install/embedded.mjs';
import { generatedClientStep } from './install/generated-client.mjs';
import { linksStep } from './install/links.mjs';
import { withInstallLock } from './install/lock.mjs';
import { InstallError, say } from './install/report.mjs';

const root = resolve(import.meta.dirname, '..');
const wantsBroker = !process.argv.includes('--no-services') && startsBroker(process.env);

const steps = [dependenciesStep(root), linksStep(root), generatedClientStep(root), ...(wantsBroker ? [brokerStep(root)] : [])];

try {
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
