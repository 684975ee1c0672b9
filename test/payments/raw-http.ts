import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** One connection on which anything can be written. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that came back when the server has closed the connection, or reset it. */
  readonly closed: Promise<string>;
  answer(): string;
}

export async function openRaw(origin: string, text: string): Promise<RawConnection> {
  const { port, hostname } = new URL(origin);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  const closed = new Promise<string>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => socket.write(text, () => resolve()));
  });
  return { socket, closed, answer: () => answer };
}

/** A request's head; its body, if any, is to be sent after it. */
export function head(method: string, path: string, ...lines: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'host: x', ...lines, '', ''].join('\r\n');
}
