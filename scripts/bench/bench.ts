import { pino } from 'pino';
import { readConfig, type Config } from '../../src/config.ts';
import { MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { generateDemoAccounts, readProviderAccounts, type ProviderAccounts, type SigningKey } from '../../src/modules/payments/index.ts';
import { connectBroker, type BrokerConnection } from '../../src/platform/broker/connect.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import type { Logger } from '../../src/platform/observe/logger.ts';
import { createMeter, type Meter } from './measure/meter.ts';
import { appendBacklog, appendRequests } from './setup/backlog.ts';
import type { Counts } from './setup/counts.ts';
import { seedDatabases, type Databases } from './setup/databases.ts';
import { startServers, type Servers } from './setup/servers.ts';

/** What every stage needs. */
export interface Bench {
  readonly counts: Counts;
  readonly servers: Servers;
  readonly databases: Databases;
  readonly meter: Meter;
  readonly config: Config;
  readonly log: Logger;
  readonly accounts: ProviderAccounts;
  readonly signingKey: SigningKey;
  /** For the bench's own look at the queues. */
  readonly broker: BrokerConnection;
  /** Position of the backlog's last event: where a checkpoint must stand after a drain. */
  readonly backlogEnd: bigint;
}

export const BACKLOG = 'backlog';
/** Payments of webhooks: `alone` with the application's webhook path only, `whole` with everything behind it. */
export const webhookPrefix = (kind: 'alone' | 'whole', round: number): string => `${kind}${round}`;
const CLOSE_MS = 3_000;

export async function prepare(counts: Counts, say: (text: string) => void): Promise<Bench & { close(): Promise<void> }> {
  say('starting PostgreSQL, RabbitMQ and two event stores');
  const servers = await startServers();
  // Production writes its log to a pipe or file; formatting the lines is part of the work, showing them is not.
  const log = pino({ level: 'info', base: null }, pino.destination('/dev/null'));
  const broker = connectBroker(servers.broker.url, 'bench', log);
  const close = async (): Promise<void> => {
    await broker.close(CLOSE_MS);
    await servers.stop();
  };
  try {
    say(`preparing ${counts.backlog} payments, and ${counts.rounds} x 2 x ${counts.webhooks} to be paid by webhook`);
    const rounds = Array.from({ length: counts.rounds }, (_, round) => round);
    const wholePrefixes = rounds.map((round) => webhookPrefix('whole', round));
    const databases = await seedDatabases(servers.postgres.url, { [BACKLOG]: counts.backlog, ...Object.fromEntries(wholePrefixes.map((prefix) => [prefix, counts.webhooks])) });
    const backlogEnd = await appendBacklog(servers.backlogStore, BACKLOG, counts.backlog);
    for (const prefix of [...wholePrefixes, ...rounds.map((round) => webhookPrefix('alone', round))]) await appendRequests(servers.webhookStore, prefix, counts.webhooks);
    await broker.whenConnected(new AbortController().signal);
    await declareTopology(broker, Object.values(MODULE_QUEUES));
    const { accountsFile, signingKeys } = await generateDemoAccounts();
    const config = readConfig({ ...process.env, PORT: '0', HOST: '127.0.0.1' });
    const accounts = readProviderAccounts(JSON.stringify(accountsFile));
    const meter = createMeter({ broker: servers.broker.pid, postgres: servers.postgres.pid });
    return { counts, servers, databases, meter, config, log, accounts, signingKey: signingKeys[0] as SigningKey, broker, backlogEnd, close };
  } catch (error) {
    await close();
    throw error;
  }
}
