import type { Socket } from 'node:net';
import type { Channel } from 'rabbitmq-client';

/**
 * The client writes each message to the socket by itself: a system call for us, and a wake-up of the broker, per message.
 * The returned function, called before a publish, keeps what is written in this turn of the event loop together; it goes
 * out at the end of the turn. A burst then costs half as much on both sides, a single message is not later than the turn.
 *
 * The socket is not part of the client's interface. Where it is not found, messages are written one by one as before.
 */
export function gatherWrites(channel: Channel): () => void {
  const socket = socketOf(channel);
  if (socket === null) return () => undefined;
  let isGathering = false;
  const release = (): void => {
    isGathering = false;
    socket.uncork();
  };
  return () => {
    if (isGathering) return;
    isGathering = true;
    socket.cork();
    setImmediate(release);
  };
}

function socketOf(channel: Channel): Socket | null {
  const { _conn: connection } = channel as unknown as { _conn?: { _socket?: Partial<Socket> } };
  const socket = connection?._socket;
  return typeof socket?.cork === 'function' && typeof socket.uncork === 'function' ? (socket as Socket) : null;
}
