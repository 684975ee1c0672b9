import { once } from 'node:events';
import { connect as connectSocket, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Stands between a client and a server, and can do what firewalls do: lose connections without telling either side. */
export interface SilentProxy {
  readonly port: number;
  openConnections(): number;
  /** From now on the connections that exist swallow everything, as a firewall does that lost its table. */
  forgetConnections(): void;
}

export async function startSilentProxy(targetPort: number): Promise<SilentProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server: Server = createServer((client) => {
    const target = connectSocket(targetPort, '127.0.0.1');
    const pair = [client, target] as const;
    pairs.add(pair);
    client.pipe(target).pipe(client);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of [...pairs].flat()) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    openConnections: () => pairs.size,
    forgetConnections() {
      for (const [client, target] of pairs) {
        client.unpipe(target);
        target.unpipe(client);
        client.resume();
        target.resume();
      }
    },
  };
}
