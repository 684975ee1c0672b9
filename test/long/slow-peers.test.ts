import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { WEBHOOK_BODY_BYTES_MAX } from '../../src/modules/payments/webhook-admission.ts';
import { ANSWER_TAKEN_WITHIN_MS, PIPELINED_MAX } from '../../src/platform/http/bound-connections.ts';
import type { Weight } from './http-server-entry.ts';

/** Thousands of peers that mean no good, in another process than the server. What is measured is what the kernel says of it. */
const PEERS = 3_000;
const AT_ONCE = 100;
const MORE_MIB_MAX = 150;
const LARGEST = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n';
const UPLOAD = `POST /webhooks/stripe/demo HTTP/1.1\r\nhost: x\r\ncontent-length: ${WEBHOOK_BODY_BYTES_MAX}\r\n\r\n`;

test.each<[string, Attack]>([
  ['ask once and take nothing', { text: LARGEST, end: 'stay' }],
  ['ask as often ahead as they may and take nothing', { text: LARGEST.repeat(1 + PIPELINED_MAX), end: 'stay' }],
  ['ask ten times ahead and take nothing', { text: LARGEST.repeat(10), end: 'stay' }],
  ['say nothing', { text: '', end: 'stay' }],
  ['never end their headers', { text: LARGEST.trimEnd(), end: 'stay' }],
  ['send a megabyte but for a byte, and reset', { text: UPLOAD + 'x'.repeat(WEBHOOK_BODY_BYTES_MAX - 1), end: 'reset' }],
])('three thousand peers that %s', async (what, attack) => {
  const server = await startServer();
  // Whatever is loaded or compiled once is there.
  await askForLargest(server.port);
  const before = await server.weigh();
  const peers = await attackWith(attack, server.port);
  const during = await server.weigh();
  const startedAt = performance.now();
  await askForLargest(server.port);
  const askedMs = performance.now() - startedAt;
  await delay(ANSWER_TAKEN_WITHIN_MS + 10_000);
  const left = await server.weigh();
  for (const peer of peers) peer.destroy();
  const [more, after] = [during.rssMiB - before.rssMiB, left.rssMiB - before.rssMiB].map(Math.round);
  console.log(`${what}: +${more} MiB and ${during.openFiles} open files, others answered in ${Math.round(askedMs)} ms; in the end +${after} MiB and ${left.openFiles}`);
  expect(Math.max(more ?? 0, after ?? 0)).toBeLessThan(MORE_MIB_MAX);
  // Those of the start, and the connection that asked.
  expect(left.openFiles).toBeLessThanOrEqual(before.openFiles + 1);
});

interface Attack {
  readonly text: string;
  readonly end: 'stay' | 'reset';
}

async function attackWith({ text, end }: Attack, port: number): Promise<Socket[]> {
  const peers: Socket[] = [];
  for (let n = 0; n < PEERS; n += AT_ONCE) {
    const some = await Promise.all(Array.from({ length: AT_ONCE }, () => openDeaf(port, text)));
    if (end === 'reset') for (const peer of some) peer.resetAndDestroy();
    peers.push(...some);
  }
  return peers;
}

function openDeaf(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause();
  socket.on('error', () => undefined);
  return new Promise((done) => {
    socket.once('close', () => done(socket));
    socket.once('connect', () => socket.write(text, () => done(socket)));
  });
}

async function askForLargest(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/docs/static/swagger-ui-bundle.js`, { headers: { connection: 'close' } });
  expect([answer.status, (await answer.arrayBuffer()).byteLength > 1_000_000]).toEqual([200, true]);
}

async function startServer() {
  const child = fork(resolve(import.meta.dirname, 'http-server-entry.ts'), { stdio: 'inherit' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    async weigh(): Promise<Weight> {
      child.send('weigh');
      return ((await once(child, 'message')) as [Weight])[0];
    },
  };
}
