import { pino } from 'pino';
import { readConfig, type Config } from '../../../src/config.ts';
import { MODULE_QUEUES } from '../../../src/contracts/topology.ts';
import { generateDemoAccounts, readProviderAccounts, type ProviderAccounts, type SigningKey } from '../../../src/modules/payments/index.ts';
import { connectBroker, type BrokerConnection } from '../../../src/platform/broker/connect.ts';
import { declareTopology } from '../../../src/platform/broker/topology.ts';
import type { Logger } from '../../../src/platform/observe/logger.ts';
import { createMeter, type Meter } from '../measure/meter.ts';
import { appendBacklog, appendRequests } from './backlog.ts';
import type { Counts } from './counts.ts';
import { seedDatabases, type Databases } from './databases.ts';
import { startServers, type Servers } from './servers.ts';

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
/**
 * Payments that wait for their success: `alone` and `single` (one by one) for the webhook path only, `whole` with
 * everything behind it, `plain` for that path with a store without TLS, `raw` for the client alone.
 */
export const webhookPrefix = (kind: 'alone' | 'single' | 'plain' | 'whole' | 'raw', round: number): string => `${kind}${round}`;
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
    say(`preparing ${counts.backlog} payments, and ${counts.rounds} x ${4 * counts.webhooks} for webhooks`);
    const rounds = Array.from({ length: counts.rounds }, (_, round) => round);
    const withOrders = Object.fromEntries(rounds.map((round) => [webhookPrefix('whole', round), counts.webhooks]));
    const databases = await seedDatabases(servers.postgres.url, { [BACKLOG]: counts.backlog, ...withOrders });
    const backlogEnd = await appendBacklog(servers.backlogStore, BACKLOG, counts.backlog);
    for (const round of rounds) {
      for (const kind of ['alone', 'whole', 'raw'] as const) await appendRequests(servers.webhookStore, webhookPrefix(kind, round), counts.webhooks);
      await appendRequests(servers.webhookStore, webhookPrefix('single', round), counts.naive);
      await appendRequests(servers.plainStore, webhookPrefix('plain', round), counts.webhooks);
    }
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
