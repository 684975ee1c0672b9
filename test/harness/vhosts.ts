import { MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { connectBroker } from '../../src/platform/broker/connect.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import type { EmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';

/**
 * Virtual hosts for one test each. A call of rabbitmqctl takes seconds on a busy machine, and the application lets queues that it
 * declared first settle for 1.5 s. So no test waits for one of its own: some are always made ahead, with the modules' queues where
 * these are not what is tested, and the same call deletes those that are done with.
 */
export interface Vhosts {
  take(): Promise<string>;
  /** Resolves when nothing is under way; nothing begins any more. */
  close(): Promise<void>;
}

export interface VhostMaker {
  make(declares: boolean): Promise<string[]>;
  /** Deletes it with the next call, which may never come: the broker and its data end with the run in any case. */
  giveBack(name: string): void;
}

const BATCH_SIZE = 8;
/** The most that tests which begin at the same moment ask for. */
const AHEAD_MIN = 4;

/*
 * Each a step of what `rabbitmqctl eval` takes, separated by commas and ended by a full stop: any number of them costs no more than
 * one command. What is given may hold neither quotes nor backslashes.
 */
const ACTING_USER = '<<"the tests">>';
export const addVhost = (name: string): string => `ok = rabbit_vhost:add(<<"${name}">>, ${ACTING_USER})`;
export const addUser = (name: string, password: string): string => `ok = rabbit_auth_backend_internal:add_user(<<"${name}">>, <<"${password}">>, ${ACTING_USER})`;
/** @param rights patterns of what the user may configure, write and read. */
export const grant = (user: string, vhost: string, rights: readonly [string, string, string]): string =>
  `ok = rabbit_auth_backend_internal:set_permissions(<<"${user}">>, <<"${vhost}">>, ${rights.map((pattern) => `<<"${pattern}">>`).join(', ')}, ${ACTING_USER})`;

export function createVhostMaker(broker: () => Promise<EmbeddedRabbitMq>): VhostMaker {
  const done: string[] = [];
  let made = 0;
  return {
    async make(declares) {
      const names = Array.from({ length: BATCH_SIZE }, () => `test-${++made}`);
      const server = await broker();
      const user = new URL(server.url).username;
      const steps = names.flatMap((name) => [addVhost(name), grant(user, name, ['.*', '.*', '.*'])]);
      // Whatever becomes of these, no test is about them any more.
      const deletions = done.splice(0).map((name) => `catch rabbit_vhost:delete(<<"${name}">>, ${ACTING_USER})`);
      await server.ctl(['eval', `${[...steps, ...deletions].join(', ')}.`]);
      if (declares) await Promise.all(names.map((name) => declare(withPath(server.url, name))));
      return names;
    },
    giveBack: (name) => void done.push(name),
  };
}

async function declare(url: string): Promise<void> {
  const connection = connectBroker(url, 'declare', silentLogger);
  try {
    await declareTopology(connection, Object.values(MODULE_QUEUES));
  } finally {
    await connection.close(1_000);
  }
}

/** The URL of a database or virtual host of that server. */
export function withPath(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** @param make a batch of names. */
export function keepAhead(make: () => Promise<string[]>): Vhosts {
  const ready: string[] = [];
  let making: Promise<void> | undefined;
  let isClosed = false;

  function makeMore(): Promise<void> {
    return (making ??= make().then((names) => void ready.push(...names)).finally(() => (making = undefined)));
  }

  return {
    async take() {
      for (;;) {
        const name = ready.shift();
        // A failure shows where a test has to wait for one.
        if (ready.length < AHEAD_MIN && !isClosed) makeMore().catch(() => undefined);
        if (name !== undefined) return name;
        await makeMore();
      }
    },
    async close() {
      isClosed = true;
      await making?.catch(() => undefined);
    },
  };
}
