/** Whom an AMQP URL names, without its password: for reasons, and for commands that a person can paste. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly vhost: string;
  readonly isTls: boolean;
}

/** RabbitMQ's own defaults for what a URL leaves open (their "URI Specification"). */
export function peerOf(url: string): Peer {
  const { protocol, hostname, port, username, pathname } = new URL(url);
  const isTls = protocol === 'amqps:';
  const vhost = decodeURIComponent(pathname.slice(1));
  return { host: hostname, port: Number(port) || (isTls ? 5671 : 5672), user: decodeURIComponent(username) || 'guest', vhost: vhost === '' ? '/' : vhost, isTls };
}

/** One word of a shell command, quoted where the shell would read it otherwise. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Everything that this program does on a broker, and nothing else: configure, write, read. `amqp.default` is for replays. */
export function grant({ vhost, user }: Pick<Peer, 'vhost' | 'user'>): string {
  return `rabbitmqctl set_permissions -p ${shellWord(vhost)} ${shellWord(user)} '^paynotify_' '^(paynotify_|amq\\.default$)' '^paynotify_'`;
}
