import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network that misbehaves on command, between a client and a real server. */
export interface TcpProxy {
  /** The server's URL with host and port of the proxy. */
  readonly url: string;
  /** Ends all connections at once, without a word to either side. */
  cut(): void;
  /** So many bytes of what clients say still arrive; then everything is cut. */
  cutAfter: number;
  /** While true, what the server says is thrown away; what the client says still arrives. */
  swallowAnswers: boolean;
  /** While true, new connections are refused at once. */
  refuse: boolean;
  close(): Promise<void>;
}

export async function startTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  const state = { swallowAnswers: false, refuse: false, cutAfter: Infinity };
  const server = createServer((client) => {
    if (state.refuse) return void client.destroy();
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.on('data', (chunk) => {
      state.cutAfter -= chunk.length;
      if (state.cutAfter > 0) return void upstream.write(chunk);
      state.cutAfter = Infinity;
      cut();
    });
    upstream.on('data', (chunk) => state.swallowAnswers || client.write(chunk));
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const end of pair) end.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return Object.assign(state, {
    url: url.href,
    cut,
    close: () => {
      cut();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
