import type { AddressInfo } from 'node:net';
import { ConfigError } from '../../contracts/errors.ts';
import { listensEverywhere, openableUrl } from './addresses.ts';
import type { Server } from './build-server.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where it listens, and how that is opened on this machine. Every address has one spelling here: `0.0.0.0` or `::`. */
export interface Listening extends Address {
  readonly url: string;
}

/** @throws ConfigError when the address cannot be had; it says which setting to change. */
export async function listen(server: Server, { host, port }: Address): Promise<Listening> {
  await server.listen({ host, port }).catch((error: unknown) => {
    throw cannotListen(error, { host, port });
  });
  const bound = server.server.address() as AddressInfo;
  const shown = listensEverywhere(bound.address) ? bound.address : host;
  return { host: shown, port: bound.port, url: openableUrl(shown, bound.port) };
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program. Stop that one, or choose another port, e.g. PORT=8081',
  EACCES: 'may only be used by root. Choose a port above 1023, e.g. PORT=8080',
  EADDRNOTAVAIL: 'is not an address of this machine. Choose another with HOST, e.g. HOST=127.0.0.1',
  ENOTFOUND: 'is not a name that can be resolved here. Choose an address with HOST, e.g. HOST=127.0.0.1',
};

function cannotListen(error: unknown, { host, port }: Address): unknown {
  const problem = LISTEN_PROBLEMS[(error as NodeJS.ErrnoException).code ?? ''];
  return problem === undefined ? error : new ConfigError(`${host}:${port} ${problem}.`, { cause: error });
}
