import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { causeOfEnd } from './cause-of-end.ts';
import type { DataDirectory } from './data-directory.ts';
import { startGuarded, type Guarded } from './guardian.ts';
import { clearLeftovers, isGone } from './leftovers.ts';
import { rabbitMqBinaries, type RabbitMqBinaries } from './rabbitmq-binaries.ts';
import { PULSE, servesNobody, type Pulse } from './rabbitmq-pulse.ts';
import { formerFolder, readRelease, refusesForeignData, setDataAside, writeRelease } from './rabbitmq-folder.ts';
import { BROKER_USER, brokerEnvironment, writeBrokerFiles, type BrokerPorts } from './rabbitmq-files.ts';
import { isFree } from './ports.ts';
import { writeServerIdentity } from './server-identity.ts';
import { openServerLog } from './server-log.ts';
import { asUser, serverUser, type ServerUser, type UserCommand } from './server-user.ts';

/**
 * A private RabbitMQ: own node name, ports, cookie and data, loopback only; a broker of the system is never touched.
 *
 * Order of starting:
 *   1. a broker left over by a killed application ends, and what root may have written is given to whom it runs as,
 *   2. the port mapper starts first and as a child of ours (else the broker starts one that outlives everything),
 *   3. the broker starts, recovers its queues, and opens its AMQP port last: that is when it is ready,
 *   4. data that another release wrote and this one refuses, or that was written for another folder, is set aside, and the broker begins anew (rabbitmq-folder.ts).
 * Order of stopping: the broker, then its port mapper.
 */
export interface EmbeddedRabbitMq {
  /** AMQP URL of the default vhost, password and certificate included. */
  readonly url: string;
  /** Process id of the broker. */
  readonly pid: number;
  /** Resolves when the broker has ended, asked or not, with the reason in words. */
  readonly exited: Promise<string>;
  /** Runs rabbitmqctl (0.7 s, mostly processor time) and resolves with its output; rejects with its complaint. */
  ctl(args: readonly string[]): Promise<string>;
  /** Stops broker and port mapper. Calling it again waits for the same end. */
  stop(): Promise<void>;
}

export interface EmbeddedRabbitMqOptions {
  readonly directory: DataDirectory;
  /** A fixed AMQP port; without it one is chosen free and remembered. */
  readonly port?: number;
  readonly log: Logger;
  /** How often it is asked whether it still serves. */
  readonly pulse?: Pulse;
}

/** A clean stop takes about a second; a large backlog may take longer to be written. */
const STOP_LIMIT_MS = 15_000;
const MAPPER_STOP_LIMIT_MS = 2_000;
/** About 10 s is usual, 40 s with a large backlog; a slow or busy machine takes several times that. */
const READY_LIMIT_MS = 300_000;
const READY_POLL_MS = 50;
/** A handshake takes milliseconds, also of a broker that is busy with its start. */
const ANSWER_LIMIT_MS = 2_000;
/** Erlang's small helper processes notice the broker's end by a closed pipe, a moment later. */
const HELPERS_END_LIMIT_MS = 2_000;
/** rabbitmqctl has a time limit of its own for most commands, but not for reaching the broker. */
const CTL_LIMIT_MS = 60_000;
/** A port may be taken between its choice and its use; that this happens again and again is no accident any more. */
const ATTEMPTS_MAX = 3;

const PROGRAMS = ['beam.smp', 'epmd', 'erl_child_setup', 'inet_gethost'];

/** @throws EmbeddedServiceError with the line of the broker's own log that names the cause when it cannot be started. */
export async function startEmbeddedRabbitMq({ directory, port, log, pulse = PULSE }: EmbeddedRabbitMqOptions): Promise<EmbeddedRabbitMq> {
  const programs = rabbitMqBinaries();
  const folder = directory.folder('rabbitmq');
  await clearLeftovers(folder, { programs: PROGRAMS, stopSignal: 'SIGTERM', stopLimitMs: STOP_LIMIT_MS + 2_000 }, log);
  const site: Site = { folder, programs, pulse, user: serverUser('RabbitMQ', folder, [programs.erl, '-version']) };
  const former = formerFolder(folder);
  if (former !== null) setDataAside(folder, `its queues were written for ${former}, and it has been moved or copied since`, log);
  for (let attempt = 1; ; attempt++) {
    const ports = await takePorts(directory, port);
    const outcome = await tryStart(site, ports);
    if ('broker' in outcome) {
      writeRelease(folder, programs.release);
      return outcome.broker;
    }
    if (attempt >= ATTEMPTS_MAX) throw new EmbeddedServiceError(outcome.refusal);
    if (/eaddrinuse|address already in use|in use by another node/i.test(outcome.output)) for (const name of PORT_NAMES) directory.ports.forget(name);
    else if (refusesForeignData(outcome.output, { wrote: readRelease(folder), installed: programs.release })) setDataAside(folder, causeOfEnd(outcome.output), log);
    else throw new EmbeddedServiceError(outcome.refusal);
  }
}

const PORT_NAMES = ['amqp', 'erlang-distribution', 'erlang-port-mapper'] as const;

/** The broker itself would find out after seconds, three times, that somebody holds a port where it must be found. */
async function takePorts({ ports }: DataDirectory, port: number | undefined): Promise<BrokerPorts> {
  if (port !== undefined && !(await isFree(port))) {
    throw new EmbeddedServiceError(`The private RabbitMQ was at 127.0.0.1:${port}, which another program of this machine holds now (ss -ltnp names it). It is told nothing; when it ends, RabbitMQ starts.`);
  }
  const [amqp, distribution, epmd] = PORT_NAMES;
  return { amqp: port ?? (await ports.take(amqp)), distribution: await ports.take(distribution), epmd: await ports.take(epmd) };
}

interface Site {
  readonly folder: string;
  readonly programs: RabbitMqBinaries;
  readonly pulse: Pulse;
  readonly user: ServerUser | null;
}

type StartOutcome = { readonly broker: EmbeddedRabbitMq } | { readonly refusal: string; readonly output: string };

/** The running broker, or why it ended while starting. */
async function tryStart({ folder, programs, pulse, user }: Site, ports: BrokerPorts): Promise<StartOutcome> {
  const password = writeBrokerFiles(folder, ports, programs, user);
  const { certificateFile } = writeServerIdentity(folder, 'rabbitmq', user);
  const environment = brokerEnvironment(folder, ports, programs);
  const output = openServerLog(join(folder, 'server.log'));
  const place = { folder, environment, log: output, stopSignal: 'TERM', user } as const;
  const mapper = await startGuarded({ ...place, command: [programs.epmd], stopLimitMs: MAPPER_STOP_LIMIT_MS });
  const broker = await startGuarded({ ...place, command: [programs.server], stopLimitMs: STOP_LIMIT_MS });
  const ended = broker.exited.then(async (reason) => {
    await mapper.stop();
    await isGone(folder, PROGRAMS, HELPERS_END_LIMIT_MS);
    return reason;
  });
  try {
    if (!(await isReady(broker, ports.amqp, readFileSync(certificateFile)))) {
      const end = await ended;
      const text = output.text();
      return { refusal: `The private RabbitMQ ${end} while starting: ${causeOfEnd(text)} (${output.file})`, output: text };
    }
  } catch (error) {
    await broker.stop();
    throw error;
  } finally {
    void ended.then(() => output.close());
  }
  const url = `amqps://${BROKER_USER}:${password}@127.0.0.1:${ports.amqp}/?cacertfile=${encodeURIComponent(certificateFile)}`;
  const running: EmbeddedRabbitMq = {
    url,
    pid: broker.pid,
    exited: endedOrDead(broker, ended, url, pulse),
    ctl: (args) => rabbitmqctl(asUser(user, [programs.ctl, '--quiet', ...args]), args[0], { cwd: folder, env: environment }),
    async stop() {
      await broker.stop();
      await ended;
    },
  };
  return { broker: running };
}

/** One that lives and serves nobody is ended: whoever keeps it running starts it again. */
async function endedOrDead(broker: Guarded, ended: Promise<string>, url: string, pulse: Pulse): Promise<string> {
  const over = new AbortController();
  void ended.then(() => over.abort());
  if (!(await servesNobody(url, over.signal, pulse))) return ended;
  await broker.stop();
  return `it ended every connection without a word, so it was ended itself (${await ended})`;
}

/** Whether the broker came up; false when it ended instead. */
async function isReady(broker: Guarded, port: number, certificate: Buffer): Promise<boolean> {
  const deadline = performance.now() + READY_LIMIT_MS;
  while (performance.now() < deadline) {
    if (broker.hasExited()) return false;
    if (await answers(port, certificate)) return true;
    await wait(READY_POLL_MS);
  }
  throw new EmbeddedServiceError(`The private RabbitMQ runs (process ${broker.pid}) but did not open its port ${port} within ${READY_LIMIT_MS / 1000} s.`);
}

/** Whether it is our broker that listens there: anybody else may, too. */
function answers(port: number, certificate: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', ca: certificate, timeout: ANSWER_LIMIT_MS });
    const decide = (isOurs: boolean): void => {
      socket.destroy();
      resolve(isOurs);
    };
    socket.once('secureConnect', () => decide(true));
    socket.once('timeout', () => decide(false));
    socket.on('error', () => decide(false));
  });
}

const execute = promisify(execFile);

/** By the broker's own user: its cookie is for nobody else. */
async function rabbitmqctl(start: UserCommand, command: string | undefined, place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }): Promise<string> {
  try {
    const { stdout } = await execute(start.program, start.arguments, { ...place, ...start.identity, timeout: CTL_LIMIT_MS });
    return stdout;
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    throw new EmbeddedServiceError(`rabbitmqctl ${command} failed: ${(stderr || stdout || (error as Error).message).trim()}`, { cause: error });
  }
}
