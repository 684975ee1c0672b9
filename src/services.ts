import type { Config } from './config.ts';
import { startEventStoreWorker } from './event-store-server/worker-host.ts';
import { rabbitMqBinaries, startEmbeddedPostgres, startEmbeddedRabbitMq, type DataDirectory, type EmbeddedRabbitMq } from './platform/embedded/index.ts';
import type { BrokerTool } from './platform/broker/full-queues.ts';
import { writeServerIdentity } from './platform/embedded/server-identity.ts';
import { keepRunning, type KeptServer, type RunningServer } from './platform/embedded/keep-running.ts';
import type { Logger } from './platform/observe/logger.ts';
import { createSupervisor } from './platform/process/supervisor.ts';
import type { WorkerHealth } from './platform/process/worker.ts';

/** The servers in use: those of the configuration, and embedded ones for what it leaves open. */
export interface Services {
  readonly eventStoreUrl: string;
  /** Of the embedded event store; null when another one is configured. */
  readonly eventStoreDirectory: string | null;
  readonly databaseUrl: string;
  /** The broker takes 10 s to start; webhooks are accepted meanwhile. */
  readonly rabbitMqUrl: Promise<string>;
  /** rabbitmqctl of the private broker; null when another one is configured. Rejects while it does not run. */
  readonly brokerTool: BrokerTool | null;
  /** Health of the embedded servers by name; empty when all are configured. */
  health(): Readonly<Record<string, WorkerHealth>>;
  stop(): Promise<void>;
}

/** An embedded server has this long to end before the process does; its guardian ends it in any case. */
export const SERVERS_STOP_LIMIT_MS = 20_000;

/**
 * Starts what is not configured. The broker is begun first and not waited for.
 * @throws EmbeddedServiceError when the embedded event store or PostgreSQL cannot be started, or the broker has no programs;
 * Error when `signal` is aborted meanwhile, after what had been started was stopped.
 */
export async function startServices(config: Config, directory: DataDirectory, log: Logger, signal: AbortSignal): Promise<Services> {
  const supervisor = createSupervisor(log);
  const keep = (name: string, start: (formerUrl: string | null) => Promise<RunningServer>): KeptServer => {
    const kept = keepRunning(name, start);
    supervisor.start(kept.worker);
    return kept;
  };
  const services = {
    health: () => supervisor.health(),
    stop: async () => void (await supervisor.stopAll(SERVERS_STOP_LIMIT_MS)),
  };
  // The broker is not waited for, but one whose programs are missing never comes.
  if (config.rabbitMqUrl === null) rabbitMqBinaries();
  let broker: EmbeddedRabbitMq | null = null;
  const startBroker = async (former: string | null): Promise<RunningServer> => (broker = await startEmbeddedRabbitMq({ directory, log, ...portOf(former) }));
  const rabbitMqUrl = config.rabbitMqUrl ?? keep('rabbitmq', startBroker).url;
  const brokerTool: BrokerTool = async (args) => broker?.ctl(args) ?? Promise.reject(new Error('the private broker does not run'));
  try {
    const urls = Promise.all([
      config.eventStoreUrl ?? orFail(keep('event-store', (former) => startEventStore(directory, former))),
      config.databaseUrl ?? orFail(keep('postgresql', (former) => startEmbeddedPostgres({ directory, log, ...portOf(former) }))),
    ]);
    const [eventStoreUrl, databaseUrl] = await Promise.race([urls, whenAborted(signal)]);
    const eventStoreDirectory = config.eventStoreUrl === null ? directory.folder('event-store') : null;
    return { eventStoreUrl, eventStoreDirectory, databaseUrl, rabbitMqUrl: Promise.resolve(rabbitMqUrl), brokerTool: config.rabbitMqUrl === null ? brokerTool : null, ...services };
  } catch (error) {
    await services.stop();
    throw error;
  }
}

async function startEventStore(directory: DataDirectory, formerUrl: string | null): Promise<RunningServer> {
  const port = portOf(formerUrl).port ?? (await directory.ports.take('event-store'));
  const identity = writeServerIdentity(directory.folder('event-store-tls'), 'event store');
  const server = await startEventStoreWorker({ port, directory: directory.folder('event-store'), identity });
  const exited = new Promise<string>((resolve) => server.onExit((error) => resolve(error.message)));
  return { url: server.connectionString, exited, stop: () => server.stop() };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  const ended = Promise.withResolvers<never>();
  // Most of the time nobody waits for it any more.
  ended.promise.catch(() => undefined);
  const end = (): void => ended.reject(new Error('the start was given up', { cause: signal.reason }));
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return ended.promise;
}

function orFail(kept: KeptServer): Promise<string> {
  return Promise.race([kept.url, kept.firstFailure.then((error) => Promise.reject(error))]);
}

/** A server that is started again must be found where it was. */
function portOf(url: string | null): { port?: number } {
  return url === null ? {} : { port: Number(new URL(url).port) };
}
