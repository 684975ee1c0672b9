import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openConnection, type Connection } from '../../src/platform/event-store/connection.ts';
import { ATTEMPT_TIMEOUT_MS } from '../../src/platform/event-store/try-until-deadline.ts';
import { connect, newEvent, someStream } from './event-store-rig.ts';

/** A peer that takes connections and never says a word, as a process that is frozen does. */
interface MutePeer {
  readonly port: number;
  readonly open: ReadonlySet<Socket>;
  /** Most of `open` at a time. */
  openMax(): number;
  /** All that ever came. */
  taken(): number;
}

async function startMutePeer(atPort = 0): Promise<MutePeer> {
  const open = new Set<Socket>();
  let openMax = 0;
  let taken = 0;
  const server: Server = createServer((socket) => {
    taken++;
    openMax = Math.max(openMax, open.add(socket).size);
    socket.on('error', () => undefined).on('close', () => open.delete(socket)).resume();
  });
  server.listen(atPort, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, open, openMax: () => openMax, taken: () => taken };
}

/** A port where nobody listens, and where the test may listen later. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Of a read that is begun now. */
function failureOf({ client }: Connection): Promise<Error> {
  return new Promise((failed) => client.readStream(someStream()).on('error', failed));
}

const ADDRESSES: readonly (readonly [string, (port: number) => string])[] = [
  ['alone', (port) => `esdb://127.0.0.1:${port}?tls=false`],
  ['with TLS', (port) => `esdb://127.0.0.1:${port}?tls=true`],
  ['of a cluster whose other node is not there', (port) => `esdb://127.0.0.1:${port},127.0.0.1:1?tls=false`],
];
/** gRPC's first delay before it tries a refused connection again is a second, give or take a fifth. */
const RECONNECTED_WITHIN_MS = 1_500;

describe.each(ADDRESSES)('a node %s', (_which, address) => {
  it('that is frozen holds one socket of a caller and one that replaces it, however long it is frozen', async () => {
    const peer = await startMutePeer();
    const store = connect(address(peer.port));
    for (const endsAt = performance.now() + 4 * ATTEMPT_TIMEOUT_MS; performance.now() < endsAt; ) {
      const calls = [store.append(someStream(), [newEvent()], 'no-stream', ATTEMPT_TIMEOUT_MS), store.readStream(someStream(), ATTEMPT_TIMEOUT_MS)];
      for (const outcome of await Promise.allSettled(calls)) expect(outcome.status).toBe('rejected');
    }
    expect(peer.taken()).toBeGreaterThan(2);
    expect(peer.openMax()).toBeLessThanOrEqual(2);
    await store.dispose();
    await expect.poll(() => peer.open.size).toBe(0);
  });

  it('that comes back is not connected to by what was given up on while it was away', async () => {
    const port = await freePort();
    const store = connect(address(port));
    await expect(store.append(someStream(), [newEvent()], 'no-stream', 800)).rejects.toThrow();
    await store.dispose();
    const peer = await startMutePeer(port);
    await delay(RECONNECTED_WITHIN_MS);
    expect(peer.taken()).toBe(0);
  });

  it('hears nothing more of a connection that is closed, also from calls that were waiting on it', async () => {
    const port = await freePort();
    const connection = openConnection(address(port));
    const waiting = Promise.allSettled([connection.reach(3_000), connection.reach(3_000)]);
    await connection.close();
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    // The round of asking that was under way ends with this.
    expect((await failureOf(connection)).message).toMatch(/given up|shut down|Failed to discover/);
    const peer = await startMutePeer(port);
    await expect(connection.reach(500)).rejects.toThrow('given up');
    expect((await failureOf(connection)).message).toMatch(/given up|shut down/);
    await delay(RECONNECTED_WITHIN_MS);
    expect(peer.taken()).toBe(0);
  });
});
