import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { startApp, type AppInput } from './app.ts';
import { readConfig } from './config.ts';
import { ConfigError } from './contracts/errors.ts';
import { readProviderAccounts } from './modules/payments/index.ts';
import { silentLogger } from './platform/observe/logger.ts';

/** Nothing listens there, and nothing needs to: HTTP is served whatever else is away. */
const NOWHERE = '127.0.0.1:9';
const SECRET = `whsec_${Buffer.alloc(32).toString('base64')}`;

function inputWith(port: number, databaseAddress: string): AppInput {
  return {
    config: readConfig({ PORT: String(port), PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: '200' }),
    eventStoreUrl: `esdb://${NOWHERE}?tls=false`,
    databaseUrl: `postgresql://u:p@${databaseAddress}/x`,
    rabbitMqUrl: `amqp://${NOWHERE}`,
    accounts: readProviderAccounts(JSON.stringify({ accounts: [{ provider: 'standard', account: 'a', keys: [{ id: 'k', secret: SECRET }] }] })),
    tokens: { admin: new Map(), service: new Map() },
    log: silentLogger,
  };
}

/** What PostgreSQL says to a client that it lets in: authentication is done, and it is ready for a query. */
const LET_IN = Buffer.from([...Buffer.from('R'), 0, 0, 0, 8, 0, 0, 0, 0, ...Buffer.from('Z'), 0, 0, 0, 5, ...Buffer.from('I')]);

/** Lets everybody in and then answers nothing, like a server that is frozen. */
async function listenSilently(): Promise<{ port: number; firstQuery: Promise<unknown>; close(): void }> {
  const sockets = new Set<Socket>();
  const asked = Promise.withResolvers<undefined>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(LET_IN);
      socket.once('data', () => asked.resolve(undefined));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, firstQuery: asked.promise, close };
}

it('says which setting to change when its port is taken', async () => {
  const other = await listenSilently();
  try {
    const refusal = await startApp(inputWith(other.port, NOWHERE)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ConfigError);
    expect((refusal as ConfigError).message).toBe(`127.0.0.1:${other.port} is taken by another program. Stop that one, or choose another port, e.g. PORT=8081.`);
  } finally {
    other.close();
  }
});

it('stops in time while a database that is frozen keeps its migration waiting', async () => {
  const frozen = await listenSilently();
  try {
    const app = await startApp(inputWith(0, `127.0.0.1:${frozen.port}`));
    await frozen.firstQuery;
    const askedAt = performance.now();
    await app.stop();
    expect(performance.now() - askedAt).toBeLessThan(2_500);
  } finally {
    frozen.close();
  }
});
