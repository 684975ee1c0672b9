import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBrokers } from '../../src/platform/broker/brokers.ts';
import { sharedBrokerCtl as ctl, sharedBrokerUrl } from '../harness/services.ts';
import { addUser, addVhost, grant } from '../harness/vhosts.ts';
import { recordingLogger } from './recording-logger.ts';

/*
 * The table of what health and log say while there is no connection, each case made with a real broker where it can be.
 * Every cure that is a command is the one that ends the case here.
 */

const EVERYTHING = ['.*', '.*', '.*'] as const;
let brokerUrl: string;
const peers: Server[] = [];

beforeAll(async () => {
  brokerUrl = await sharedBrokerUrl();
  const users = ['pay', 'busy'].flatMap((name) => [addUser(name, 'right'), grant(name, '/', EVERYTHING)]);
  await ctl('eval', `${[...users, addVhost('closed'), addVhost('full'), grant('pay', 'full', EVERYTHING)].join(', ')}.`);
  await Promise.all([ctl('set_vhost_limits', '-p', 'full', '{"max-connections": 0}'), ctl('set_user_limits', 'busy', '{"max-connections": 0}')]);
}, 120_000);
afterAll(() => {
  for (const peer of peers) peer.close();
});

/** Of the broker, or of a port where something else is, which the URL takes for a broker without TLS. */
function urlOf({ user = 'pay', password = 'right', vhost = '', port }: { user?: string; password?: string; vhost?: string; port?: number }): string {
  if (port !== undefined) return `amqp://${user}:${password}@127.0.0.1:${port}/${vhost}`;
  return Object.assign(new URL(brokerUrl), { username: user, password, pathname: `/${vhost}` }).href;
}

/** A server that is none of RabbitMQ's. */
async function stranger(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  peers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return (server.address() as AddressInfo).port;
}

const answering = (answer: string | Buffer) => () => stranger((socket) => socket.once('data', () => socket.end(answer)));
/** What a broker says to whoever speaks otherwise. */
const HEADER_OF_AMQP = Buffer.from('AMQP\0\0\x09\x01');
const ERROR_OF_POSTGRESQL = Buffer.concat([Buffer.from([69, 0, 0, 0, 60]), Buffer.from('SFATAL\0C08P01\0Munsupported frontend protocol\0\0')]);

describe('while there is no connection, health and log say what is really waited for:', () => {
  test.concurrent.for<[string, () => string | Promise<string>, RegExp]>([
    ['a wrong password', () => urlOf({ password: 'wrong' }), /refuses user "pay" or its password \(.*ACCESS_REFUSED.*RABBITMQ_URL.*rabbitmqctl change_password pay/],
    ['no virtual host', () => urlOf({ vhost: 'no-such' }), /no virtual host "no-such" \(.*rabbitmqctl add_vhost no-such && rabbitmqctl set_permissions -p no-such pay /],
    ['a virtual host that is closed to the user', () => urlOf({ vhost: 'closed' }), /user "pay" may not use virtual host "closed" \(.*rabbitmqctl set_permissions -p closed pay /],
    ['the connections of a virtual host', () => urlOf({ vhost: 'full' }), /virtual host "full" has as many connections.*set_vhost_limits -p full/],
    ['the connections of a user', () => urlOf({ user: 'busy' }), /user "busy" has as many connections.*set_user_limits busy/],
    ['a port where nothing listens', () => urlOf({ port: 9 }), /nothing listens on 127\.0\.0\.1:9 \(.*ECONNREFUSED/],
    ['a name that nobody knows', () => 'amqp://pay:right@broker.invalid:5672/', /the name broker\.invalid is not known here/],
    ['the port of a web server', async () => urlOf({ port: await answering('HTTP/1.1 400 Bad Request\r\n\r\n')() }), /is another server than RabbitMQ/],
    ['the port of a PostgreSQL', async () => urlOf({ port: await answering(ERROR_OF_POSTGRESQL)() }), /is another server than RabbitMQ/],
    ['the port of a server that greets', async () => urlOf({ port: await stranger((socket) => void socket.end('220 mail.example ESMTP ready\r\n')) }), /is another server than RabbitMQ/],
    ['the port of RabbitMQ that wants TLS', () => urlOf({ port: Number(new URL(brokerUrl).port) }), /ended the connection without a word \(.*want TLS \(amqps:\/\/\)/],
    ['a port without TLS', async () => `amqps://pay:right@127.0.0.1:${await answering(HEADER_OF_AMQP)()}/`, /does not speak TLS as amqps:\/\/ needs it/],
    ['a port of somebody else, whose certificate is another', () => urlOf({}).replace('cacertfile', 'no'), /the certificate of 127\.0\.0\.1:\d+ is not accepted/],
    ['a server that hangs up', async () => urlOf({ port: await stranger((socket) => socket.destroy()) }), /ended the connection without a word/],
  ])('%s', { timeout: 60_000 }, async ([, url, reason], { expect }) => {
    const { log, lines } = recordingLogger();
    const brokers = createBrokers();
    brokers.open(await url(), log);
    await expect.poll(() => brokers.health().reason, { timeout: 10_000 }).toMatch(reason);
    await expect.poll(() => lines('broker.away')).toHaveLength(1);
    expect(lines('broker.away')[0]?.['reason']).toMatch(reason);
    await expect(brokers.opened().publish.acquire()).rejects.toThrow(reason);
    expect(brokers.health().reason).not.toContain('right@');
    await brokers.close();
    // However often it was tried, it was said once.
    expect(lines('broker.still-away')).toEqual([]);
  });
});

test('a broker that is not there yet is named by what is started here', () => {
  expect(createBrokers(() => ({ status: 'degraded', reason: 'rabbitmq does not start, and is tried again: no space left on device' })).health().reason).toContain('no space left');
  expect(createBrokers().health()).toEqual({ status: 'starting', reason: 'the broker is starting' });
});

test('an outage is one line when it begins, one when its reason changes, and one when it ends, with counts', async () => {
  const { log, lines, all } = recordingLogger();
  await ctl('eval', `${[addUser('clerk', 'first'), grant('clerk', '/', EVERYTHING)].join(', ')}.`);
  const brokers = createBrokers();
  brokers.open(urlOf({ user: 'clerk', password: 'first' }), log);
  await expect.poll(() => brokers.health().status).toBe('ok');

  await ctl('change_password', 'clerk', 'second');
  await ctl('close_all_user_connections', 'clerk', 'maintenance');
  await expect.poll(() => brokers.health().reason, { timeout: 5_000 }).toMatch(/^the broker refuses user "clerk" or its password/);
  await expect(brokers.opened().consume.acquire()).rejects.toThrow(/ACCESS_REFUSED/);
  await ctl('change_password', 'clerk', 'first');
  await expect.poll(() => brokers.health().status, { timeout: 10_000 }).toBe('ok');
  await expect.poll(() => lines('broker.back')).toHaveLength(1);

  expect(all().filter(({ level }) => level !== 'debug').map(({ event }) => event)).toEqual(['broker.connected', 'broker.connected', 'broker.away', 'broker.still-away', 'broker.back']);
  expect(lines('broker.away')[0]?.['reason']).toMatch(/the broker ended the connection.*CONNECTION_FORCED.*maintenance/);
  expect(lines('broker.still-away')[0]?.['reason']).toMatch(/ACCESS_REFUSED/);
  const [back] = lines('broker.back');
  expect(Object.values(back?.['failures'] as Record<string, number>)).toEqual([2, expect.toSatisfy((count: number) => count >= 2)]);
  await brokers.close();
});
