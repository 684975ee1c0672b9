import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage, privilege } from './broker-package.mjs';
import { unpackBroker } from './broker-unpacked.mjs';
import { InstallError, say, succeeds } from './report.mjs';

const SERVER = 'usr/lib/rabbitmq/bin/rabbitmq-server';

/**
 * A rabbitmq-server to start privately. Its package is installed where root or passwordless sudo allows, without starting
 * or enabling the system-wide service; elsewhere the same package is unpacked into the clone, for every PAYNOTIFY_DATA.
 */
export function brokerStep(root) {
  const unpacked = join(root, '.data', 'rabbitmq-server');
  return {
    isNeeded: () => !existsSync(join('/', SERVER)) && !existsSync(join(unpacked, SERVER)),
    async run() {
      if (!(await succeeds(['apt-get', '--version']))) throw new InstallError(`RabbitMQ is missing, and this system has no apt-get to get it with.\n\n${remedy()}`);
      const prefix = await privilege();
      const failures = [];
      const ways = prefix === null ? [() => unpackBroker(unpacked)] : [() => installPackage(prefix), () => unpackBroker(unpacked)];
      for (const way of ways) {
        const failure = await way().then(() => null, (error) => error);
        if (failure === null) return;
        if (!(failure instanceof InstallError)) throw failure;
        failures.push(failure.message);
        if (failures.length < ways.length) say('installing RabbitMQ failed; trying to unpack it instead');
      }
      throw new InstallError(`RabbitMQ is missing and could not be had.\n\n${failures.join('\n\n')}\n\n${remedy()}`);
    },
  };
}

function remedy() {
  return [
    'Do one of these and start again:',
    '  - as root:                        apt-get update && apt-get install -y --no-install-recommends rabbitmq-server',
    '  - with a RabbitMQ you have:       PAYNOTIFY_EMBEDDED=event-store,postgresql RABBITMQ_URL=amqp://user:password@host:5672 npm start',
    '  - where passwordless sudo works:  npm start   (it then installs RabbitMQ itself)',
  ].join('\n');
}
