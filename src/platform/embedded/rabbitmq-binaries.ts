import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import { programsMissing } from './programs-missing.ts';

/** Where the broker's programs are. */
export interface RabbitMqBinaries {
  readonly server: string;
  readonly ctl: string;
  readonly epmd: string;
  /** Erlang itself, as the scripts start it. */
  readonly erl: string;
  /** Put before the usual search path, so that the scripts find the right `erl`. */
  readonly searchPath: string;
  /** The folder above the scripts of an unpacked broker; null = the scripts find it by themselves. */
  readonly home: string | null;
  /** RabbitMQ and Erlang, in which data may differ, e.g. `rabbitmq_server-3.10.8 erts-13.1.5`. */
  readonly release: string;
}

/** The folder of the clone that the package is unpacked into where it cannot be installed, whatever PAYNOTIFY_DATA is. */
const UNPACKED = resolve(import.meta.dirname, '../../../.data/rabbitmq-server');

/** The scripts below `/usr/lib`, not those in `/usr/sbin`: the latter insist on the system's own user and broker. */
const SCRIPTS = 'usr/lib/rabbitmq/bin';

/** The installed broker, else the unpacked one. @throws EmbeddedServiceError when there is neither. */
export function rabbitMqBinaries(): RabbitMqBinaries {
  if (existsSync(join('/', SCRIPTS, 'rabbitmq-server'))) return { ...binariesBelow('/', '/usr/bin'), home: null };
  if (existsSync(join(UNPACKED, SCRIPTS, 'rabbitmq-server'))) return { ...binariesBelow(UNPACKED, join(UNPACKED, 'bin')), home: homeOf(UNPACKED) };
  throw new EmbeddedServiceError(`RabbitMQ is neither installed nor unpacked in ${UNPACKED}. ${programsMissing('rabbitmq', 'RABBITMQ_URL')}`);
}

function binariesBelow(root: string, searchPath: string): Omit<RabbitMqBinaries, 'home'> {
  const scripts = join(root, SCRIPTS);
  const runtime = runtimeBelow(root);
  return {
    server: join(scripts, 'rabbitmq-server'),
    ctl: join(scripts, 'rabbitmqctl'),
    epmd: join(runtime, 'bin/epmd'),
    erl: join(searchPath, 'erl'),
    searchPath,
    release: `${basename(homeOf(root))} ${basename(runtime)}`,
  };
}

/** The scripts are links into the folder of their release. */
function homeOf(root: string): string {
  return resolve(dirname(realpathSync(join(root, SCRIPTS, 'rabbitmq-server'))), '..');
}

function runtimeBelow(root: string): string {
  const erlang = join(root, 'usr/lib/erlang');
  const runtime = readdirSync(erlang).find((name) => name.startsWith('erts-'));
  if (runtime === undefined) throw new EmbeddedServiceError(`Erlang below ${erlang} is incomplete: it has no folder erts-*. Install the package erlang-base again.`);
  return join(erlang, runtime);
}
