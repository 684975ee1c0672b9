import type { Socket } from 'node:net';
import type { Connection } from 'rabbitmq-client';

/**
 * The client takes four bytes of whatever answers for the length of a frame, and waits for as much: for a web server that
 * is 1.3 GB, at which Node throws where nobody catches it, and the process ends. So a length that no broker may send ends
 * the connection with an error of its own.
 * @param bytesMax the largest frame that the broker was allowed.
 *
 * The socket is not part of the client's interface. Where it is not found, nothing is guarded.
 */
export function guardFrames(connection: Connection, bytesMax: number): void {
  const socket = (connection as unknown as { _socket?: Partial<Socket> })._socket as Socket | undefined;
  if (typeof socket?.read !== 'function') return;
  const read = socket.read.bind(socket);
  socket.read = (bytes?: number): unknown => {
    if (bytes === undefined || bytes <= bytesMax) return read(bytes);
    socket.destroy(new Error(`unexpected frame of ${bytes} bytes`));
    return null;
  };
}
