import { readdir, readlink } from 'node:fs/promises';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { createMetrics } from '../observe/metrics.ts';
import { PIPELINED_MAX, type ConnectionLimits } from './bound-connections.ts';
import { buildServer, type Server } from './build-server.ts';

/** Real sockets on both sides. What a peer does not take is in buffers of the kernel first, and those are not ours. */
const WITHIN_MS = 20_000;
const LARGEST = '/docs/static/swagger-ui-bundle.js';
const MIB = 1024 * 1024;

async function serve(connections: ConnectionLimits, routes: (server: Server) => void = () => undefined) {
  const metrics = createMetrics();
  const server = buildServer({ log: silentLogger, metrics, version: '0.0.0', connections });
  server.register(async (scope) => routes(scope as Server));
  await server.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    open: async () => (await metrics.httpConnections.get()).values[0]?.value ?? 0,
    cuts: async () => Object.fromEntries((await metrics.httpConnectionsCut.get()).values.map(({ labels, value }) => [(labels as { reason: string }).reason, value])),
  };
}

interface Peer {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  answer(): string;
}

/** @param isDeaf it never reads. */
async function openPeer(port: number, text: string, isDeaf = false): Promise<Peer> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let answer = '';
  if (isDeaf) socket.pause();
  else socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  const closed = new Promise<string>((resolve) => socket.on('error', () => undefined).on('close', () => resolve(answer)));
  await new Promise<void>((resolve) => socket.once('connect', () => socket.write(text, () => resolve())));
  return { socket, closed, answer: () => answer };
}

async function until(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  const endsAt = performance.now() + WITHIN_MS;
  while (!(await ask())) {
    if (performance.now() > endsAt) throw new Error(`${what} did not come`);
    await delay(10);
  }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

async function openFilesOf(name: string): Promise<number> {
  const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return links.filter((link) => link.endsWith(name)).length;
}

it('two hundred peers that ask again and again and take nothing hold one answer in all and no file, others are answered, and they are cut off', async () => {
  const COUNT = 200;
  const rig = await serve({ answerTakenWithinMs: 1_500 });
  const whole = (await (await fetch(rig.url + LARGEST)).arrayBuffer()).byteLength;
  const before = process.memoryUsage().arrayBuffers;
  await Promise.all(Array.from({ length: COUNT }, () => openPeer(rig.port, get(LARGEST).repeat(1 + PIPELINED_MAX), true)));
  await until('all of them', async () => (await rig.open()) > COUNT);
  expect(await openFilesOf('swagger-ui-bundle.js')).toBe(0);
  // Each answer alone has one and a half.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);
  expect((await (await fetch(rig.url + LARGEST)).arrayBuffer()).byteLength).toBe(whole);
  await until('the end of all of them', async () => (await rig.cuts())['answer-not-taken'] === COUNT);
  // Only that of the other one.
  expect(await rig.open()).toBeLessThanOrEqual(1);
  expect((await fetch(rig.url + LARGEST)).status).toBe(200);
});

it('a peer that takes its answer slowly gets all of it, and its next requests wait for their turn', async () => {
  let [running, most] = [0, 0];
  const rig = await serve({}, (server) => server.get('/one', async () => {
    most = Math.max(most, ++running);
    await delay(20);
    running--;
    return { one: true };
  }));
  const peer = await openPeer(rig.port, get('/one').repeat(PIPELINED_MAX) + get('/nothing'));
  await until('every answer', () => peer.answer().includes('route-unknown'));
  expect([most, peer.answer().split('{"one":true}').length - 1]).toEqual([1, PIPELINED_MAX]);
});

it('one request too many sent ahead ends the connection', async () => {
  const rig = await serve({}, (server) => server.get('/held', (request) => new Promise((resolve) => request.deadline.addEventListener('abort', () => resolve(null)))));
  const peer = await openPeer(rig.port, get('/held').repeat(2 + PIPELINED_MAX));
  expect(await peer.closed).toBe('');
  expect(await rig.cuts()).toEqual({ 'too-many-ahead': 1 });
});

it('where all connections are taken, the one that has kept us waiting longest makes room; one whose request is worked on does not', async () => {
  const gate = Promise.withResolvers<null>();
  let entered = 0;
  const rig = await serve({ connectionsMax: 4 }, (server) => {
    server.get('/held', () => {
      entered++;
      return gate.promise;
    });
    server.post('/taken', async () => ({ taken: true }));
    server.get('/free', async () => ({ free: true }));
  });
  const worked = await openPeer(rig.port, get('/held'));
  const slowBody = await openPeer(rig.port, 'POST /taken HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{');
  const idle = await openPeer(rig.port, get('/free'));
  await until('its answer', () => idle.answer().includes('"free"'));
  const silent = await openPeer(rig.port, '');
  await until('all of them', async () => (await rig.open()) === 4);
  for (const leaving of [slowBody, idle, silent]) {
    const coming = await openPeer(rig.port, get('/held'));
    await leaving.closed;
    expect(coming.socket.destroyed).toBe(false);
  }
  await until('all at work', async () => entered === 4 && (await rig.cuts()).crowded === 3);
  const refused = await openPeer(rig.port, get('/free'));
  expect(await refused.closed).toBe('');
  expect(await rig.cuts()).toEqual({ crowded: 3, 'all-at-work': 1 });
  gate.resolve(null);
  await until('the answer of the first', () => worked.answer().startsWith('HTTP/1.1 200'));
});

it('peers that say nothing, or never end their headers, are cut off by the time of headers', async () => {
  const rig = await serve({});
  const [silent, dripping] = await Promise.all([openPeer(rig.port, ''), openPeer(rig.port, get('/').trimEnd())]);
  const more = setInterval(() => dripping.socket.write('y: 2\r\n'), 200);
  onTestFinished(() => clearInterval(more));
  for (const { closed } of [silent, dripping]) expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
  await until('their end', async () => (await rig.open()) === 0);
});
