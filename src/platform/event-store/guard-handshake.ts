import { createRequire } from 'node:module';
import { isIP, type Socket } from 'node:net';

/** The copy of grpc-js that the client uses; what is looked into is private, of grpc-js 1.14. */
interface Grpc {
  readonly credentials: { createSsl: (...args: readonly unknown[]) => Credentials };
}

interface Credentials {
  _createSecureConnector: (...args: readonly unknown[]) => Connector;
}

interface Connector {
  readonly connectionOptions: { servername?: string };
  connect(socket: Socket): Promise<unknown>;
  destroy(): void;
}

let guarded = false;

/**
 * Repairs how grpc-js opens a connection with TLS:
 *
 * 1. The name that it asks the peer for may be an address, which RFC 6066 forbids, and Node says so on standard error.
 *    The certificate is checked against the address all the same.
 * 2. The socket of a handshake that is not done when the channel is given up, because the peer is frozen, stays.
 */
export function guardHandshake(): void {
  if (guarded) return;
  guarded = true;
  const { credentials } = createRequire(import.meta.resolve('@eventstore/db-client'))('@grpc/grpc-js') as Grpc;
  const { createSsl } = credentials;
  credentials.createSsl = (...args) => {
    const made = createSsl(...args);
    const createConnector = made._createSecureConnector.bind(made);
    made._createSecureConnector = (...target) => guardConnector(createConnector(...target));
    return made;
  };
}

function guardConnector(connector: Connector): Connector {
  const { connectionOptions } = connector;
  if (isIP(connectionOptions.servername ?? '') !== 0) delete connectionOptions.servername;
  const connect = connector.connect.bind(connector);
  const unfinished = new Set<Socket>();
  let destroyed = false;
  connector.connect = async (socket) => {
    unfinished.add(socket);
    try {
      return await connect(socket);
    } finally {
      unfinished.delete(socket);
      // Whoever waited for it would not use it, and not close it either.
      if (destroyed) socket.destroy();
    }
  };
  connector.destroy = () => {
    destroyed = true;
    for (const socket of unfinished) socket.destroy();
  };
  return connector;
}
