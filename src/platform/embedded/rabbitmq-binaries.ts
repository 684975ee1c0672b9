import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import { programsMissing } from './programs-missing.ts';

/** Where the broker's programs are. */
export interface RabbitMqBinaries {
  readonly server: string;
  readonly ctl: string;
  readonly epmd: string;
  /** Put before the usual search path, so that the scripts find the right `erl`. */
  readonly searchPath: string;
}

/** The folder in the data directory that the package is unpacked into where it cannot be installed. */
export const UNPACKED_FOLDER = 'rabbitmq-server';

/** The scripts below `/usr/lib`, not those in `/usr/sbin`: the latter insist on the system's own user and broker. */
const SCRIPTS = 'usr/lib/rabbitmq/bin';

/** The installed broker, else the one unpacked below `dataPath`. @throws EmbeddedServiceError when there is neither. */
export function rabbitMqBinaries(dataPath: string): RabbitMqBinaries {
  const unpacked = join(dataPath, UNPACKED_FOLDER);
  if (existsSync(join('/', SCRIPTS, 'rabbitmq-server'))) return binariesBelow('/', '/usr/bin');
  if (existsSync(join(unpacked, SCRIPTS, 'rabbitmq-server'))) return binariesBelow(unpacked, join(unpacked, 'bin'));
  throw new EmbeddedServiceError(`RabbitMQ is neither installed nor unpacked in ${unpacked}. ${programsMissing('rabbitmq', 'RABBITMQ_URL')}`);
}

function binariesBelow(root: string, searchPath: string): RabbitMqBinaries {
  const scripts = join(root, SCRIPTS);
  return { server: join(scripts, 'rabbitmq-server'), ctl: join(scripts, 'rabbitmqctl'), epmd: epmdBelow(root), searchPath };
}

function epmdBelow(root: string): string {
  const erlang = join(root, 'usr/lib/erlang');
  const runtime = readdirSync(erlang).find((name) => name.startsWith('erts-'));
  if (runtime === undefined) throw new EmbeddedServiceError(`Erlang below ${erlang} is incomplete: it has no folder erts-*. Install the package erlang-base again.`);
  return join(erlang, runtime, 'bin/epmd');
}
