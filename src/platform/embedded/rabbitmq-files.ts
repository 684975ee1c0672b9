import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { RabbitMqBinaries } from './rabbitmq-binaries.ts';
import { BROKER_DATA } from './rabbitmq-folder.ts';
import { BASE_ENVIRONMENT } from './server-environment.ts';
import { makeFolderFor, writeFor, type Owner } from './server-files.ts';
import { CERTIFICATE_FILE, KEY_FILE } from './server-identity.ts';

/** The three ports of one private broker. */
export interface BrokerPorts {
  readonly amqp: number;
  /** Erlang's own protocol, over which rabbitmqctl speaks to the broker. */
  readonly distribution: number;
  /** Erlang's port mapper. One per broker, so that equal node names on one machine do not meet. */
  readonly epmd: number;
}

export const BROKER_USER = 'paynotify';

/** Unique per data directory is enough: names are looked up in the broker's own port mapper. */
const NODE_NAME = 'paynotify@localhost';

/** The default of 512 MiB is kept in memory, too; at 64 MiB throughput was the same and the broker far smaller. */
const WAL_SIZE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * After a crash a queue's dead-letter worker may start before the exchanges are back, and then waits this long before it
 * tries again. The default of 3 minutes looks like lost messages.
 */
const DEAD_LETTER_CONFIRM_TIMEOUT_MS = 5_000;

/**
 * The scripts of an unpacked broker use their own path without quotes, and it may have blanks and what a shell takes for a
 * pattern. So they are told another one, through this link in the broker's folder, which is its working directory.
 */
const HOME_LINK = 'program';

/** Writes every file a private broker reads, each time, because ports may have changed, for whom it runs as. Returns the password of BROKER_USER. */
export function writeBrokerFiles(folder: string, ports: BrokerPorts, { home }: RabbitMqBinaries, owner: Owner | null): string {
  rmSync(join(folder, HOME_LINK), { force: true });
  if (home !== null) symlinkSync(home, join(folder, HOME_LINK));
  for (const name of ['home', BROKER_DATA, 'log']) makeFolderFor(owner, join(folder, name));
  const password = secret(join(folder, 'password'), owner);
  // Erlang refuses a cookie that anybody but its owner may read.
  secret(join(folder, 'home/.erlang.cookie'), owner);
  const files = {
    'rabbitmq.conf': [
      'listeners.tcp = none',
      `listeners.ssl.local = 127.0.0.1:${ports.amqp}`,
      // Below the working directory: a path may have letters that this file cannot.
      `ssl_options.certfile = ${CERTIFICATE_FILE}`,
      `ssl_options.keyfile = ${KEY_FILE}`,
      'ssl_options.versions.1 = tlsv1.3',
      `default_user = ${BROKER_USER}`,
      `default_pass = ${password}`,
      'log.console = false',
      'log.file.level = warning',
      `raft.wal_max_size_bytes = ${WAL_SIZE_MAX_BYTES}`,
      '',
    ].join('\n'),
    'advanced.config': `[{rabbit,[{dead_letter_worker_publisher_confirm_timeout,${DEAD_LETTER_CONFIRM_TIMEOUT_MS}}]}].\n`,
    enabled_plugins: '[].\n',
  };
  for (const [name, text] of Object.entries(files)) writeFor(owner, join(folder, name), text);
  return password;
}

/** What the broker, its port mapper and rabbitmqctl must all be given alike to find each other and nobody else. */
export function brokerEnvironment(folder: string, ports: BrokerPorts, programs: RabbitMqBinaries): Readonly<Record<string, string>> {
  return {
    ...BASE_ENVIRONMENT,
    PATH: `${programs.searchPath}:${BASE_ENVIRONMENT['PATH']}`,
    HOME: join(folder, 'home'),
    ...(programs.home === null ? {} : { RABBITMQ_SCRIPTS_DIR: `${HOME_LINK}/sbin` }),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'no-such-file'),
    RABBITMQ_NODENAME: NODE_NAME,
    // Below the working directory: each queue notes where its files are, and is lost to RabbitMQ 3.10 once they are elsewhere.
    RABBITMQ_MNESIA_BASE: BROKER_DATA,
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'broker.pid'),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: join(folder, 'log/erl_crash.dump'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CTL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    // Makes the start script become the broker instead of waiting for it, so that signals and pid are the broker's own.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function secret(file: string, owner: Owner | null): string {
  if (!existsSync(file)) writeFor(owner, file, randomBytes(24).toString('hex'), 0o400);
  return readFileSync(file, 'utf8').trim();
}
