import { describeError } from './error-log.ts';
import { grant, shellWord, type Peer } from './peer.ts';

/*
 * Why there is no connection to the broker, and what helps: one table, tested with a real broker where that can be made
 * to answer so (test/broker/outage-reasons.test.ts). The words of RabbitMQ are those of 3.10 to 4.x.
 */

interface Case {
  /** Of the client's or broker's words. */
  readonly says: RegExp;
  readonly means: (peer: Peer) => string;
  readonly cure: (peer: Peer) => string;
}

/** From the narrower to the wider; the first that matches is taken. */
const CASES: readonly Case[] = [
  {
    says: /Login was refused|ACCESS_REFUSED.*(?:can only connect via localhost|mechanism)/i,
    means: ({ user }) => `the broker refuses user "${user}" or its password`,
    cure: ({ user }) => `Put user and password right in RABBITMQ_URL, or on the broker: rabbitmqctl change_password ${shellWord(user)}`,
  },
  {
    says: /vhost .* not found/i,
    means: ({ vhost }) => `the broker has no virtual host "${vhost}"`,
    cure: (peer) => `Name another one at the end of RABBITMQ_URL, or make it: rabbitmqctl add_vhost ${shellWord(peer.vhost)} && ${grant(peer)}`,
  },
  {
    says: /vhost .* is down/i,
    means: ({ vhost }) => `the broker's virtual host "${vhost}" is down`,
    cure: ({ vhost }) => `Its log says why; then: rabbitmqctl restart_vhost -p ${shellWord(vhost)}`,
  },
  {
    says: /user connection limit|connection refused for user.*limit/i,
    means: ({ user }) => `user "${user}" has as many connections as the broker allows it (each instance needs two)`,
    cure: ({ user }) => `Close others, or raise the limit: rabbitmqctl set_user_limits ${shellWord(user)} '{"max-connections": -1}'`,
  },
  {
    says: /vhost .*connection limit/i,
    means: ({ vhost }) => `virtual host "${vhost}" has as many connections as the broker allows it (each instance needs two)`,
    cure: ({ vhost }) => `Close others, or raise the limit: rabbitmqctl set_vhost_limits -p ${shellWord(vhost)} '{"max-connections": -1}'`,
  },
  {
    says: /connection limit/i,
    means: () => 'the broker has as many connections as it allows (each instance needs two)',
    cure: () => 'Close others, or raise connection_max in its configuration',
  },
  {
    says: /access to vhost/i,
    means: ({ user, vhost }) => `user "${user}" may not use virtual host "${vhost}"`,
    cure: (peer) => `Name another one at the end of RABBITMQ_URL, or allow it: ${grant(peer)}`,
  },
  {
    says: /CONNECTION_FORCED/,
    means: () => 'the broker ended the connection: it is stopping, or a person closed it',
    cure: () => 'It is connected to again by itself',
  },
  {
    says: /ECONNREFUSED/,
    means: ({ host, port }) => `nothing listens on ${host}:${port}`,
    cure: () => 'Start the broker, or put host and port right in RABBITMQ_URL',
  },
  {
    says: /ENOTFOUND|EAI_AGAIN/,
    means: ({ host }) => `the name ${host} is not known here`,
    cure: () => 'Put the host right in RABBITMQ_URL, or the name service of this machine',
  },
  {
    says: /CERT|certificate|altname/i,
    means: ({ host, port }) => `the certificate of ${host}:${port} is not accepted`,
    cure: () => 'Name its authority in NODE_EXTRA_CA_CERTS, and in RABBITMQ_URL the host that the certificate is for',
  },
  {
    says: /EPROTO|ERR_SSL|wrong version number|tlsv1 alert|handshake failure/i,
    means: ({ host, port }) => `${host}:${port} does not speak TLS as amqps:// needs it`,
    cure: () => 'Use the port that does (mostly 5671), or amqp:// for one without TLS',
  },
  {
    // The handshake of TLS and of every other server begins otherwise than AMQP's, and the client reports what it took it for.
    says: /VERSION_MISMATCH|unexpected frame|invalid frame|bad frame|FRAME_ERROR|UNEXPECTED_FRAME|SYNTAX_ERROR|unknown method|out of range/i,
    means: ({ host, port }) => `${host}:${port} is another server than RabbitMQ, or another of its ports than AMQP's`,
    cure: ({ isTls }) => `Put host and port right in RABBITMQ_URL (AMQP's is mostly 5672${isTls ? '' : ', and 5671 with amqps:// for TLS'})`,
  },
  {
    says: /CONNECTION_TIMEOUT|ETIMEDOUT|SOCKET_TIMEOUT|EHOSTUNREACH|ENETUNREACH/,
    means: ({ host, port }) => `${host}:${port} does not answer`,
    cure: () => 'It is tried again; if it stays so, look at the broker, at the network, and at host and port in RABBITMQ_URL',
  },
  {
    says: /CONN_CLOSE|ECONNRESET|EPIPE|READ_END/,
    means: ({ host, port }) => `${host}:${port} ended the connection without a word`,
    cure: ({ isTls }) => `It is tried again; if it stays so, it may be no RabbitMQ${isTls ? '' : ', or want TLS (amqps://)'}`,
  },
];

export interface OutageReason {
  /** The same for all words that mean the same. */
  readonly means: string;
  /** What is wrong, the words it was told in, what helps. Never the password. */
  readonly reason: string;
}

export function outageReason(error: unknown, peer: Peer): OutageReason {
  const words = describeError(error);
  const known = CASES.find(({ says }) => says.test(words));
  if (known === undefined) return { means: words, reason: words };
  const means = known.means(peer);
  return { means, reason: `${means} (${words}). ${known.cure(peer)}.` };
}
