import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer as createTlsServer } from 'node:tls';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import pg from 'pg';
import { Connection } from 'rabbitmq-client';
import { selfSigned } from '../../src/platform/embedded/self-signed.ts';

/**
 * Another user of the machine, in a process of its own that has given root up before it does anything. It tries what a
 * user can who reads our source and knows every path and port; each attempt resolves with what it got, or how it was
 * refused. Certain: what the kernel and the servers allow.
 */
/** No user has it, and none of the servers can run as it. */
const UID = 54_321;
const { certificate, key } = selfSigned('stranger');
const ANSWER_LIMIT_MS = 3_000;

process.setgroups?.([]);
process.setgid?.(UID);
process.setuid?.(UID);

const attempts: Readonly<Record<string, (input: never) => unknown>> = {
  async append(port: number) {
    const shown = await shownCertificate(port);
    const [trusted, ownCertificate, ownKey] = [shown, certificate, key].map(inFile);
    const address = `127.0.0.1:${port}`;
    return [
      await appendThrough(`esdb://${address}?tls=false`),
      await appendThrough(`esdb://${address}?tls=true&tlsCAFile=${trusted}`),
      await appendThrough(`esdb://${address}?tls=true&tlsCAFile=${trusted}&userCertFile=${ownCertificate}&userKeyFile=${ownKey}`),
      await appendThrough(`esdb+discover://admin:changeit@${address}?tls=true&tlsCAFile=${trusted}&maxDiscoverAttempts=1`),
    ];
  },
  broker: (port: number) => Promise.all([`amqp://guest:guest@127.0.0.1:${port}`, `amqps://guest:guest@127.0.0.1:${port}`, `amqps://paynotify:paynotify@127.0.0.1:${port}`].map(loginAt)),
  database: (port: number) => Promise.all([`paynotify@127.0.0.1:${port}/paynotify?sslmode=no-verify`, `paynotify:x@127.0.0.1:${port}/paynotify`, `postgres@127.0.0.1:${port}/postgres`]
      .map((rest) => queryAt(`postgresql://${rest}`))),
  opened: (paths: readonly string[]) => paths.filter((path) => opens(path)),
  /** Of every process: what it was started with, and its environment where that can be read. */
  told(secrets: readonly string[]) {
    const texts = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => [readQuietly(`/proc/${pid}/cmdline`), readQuietly(`/proc/${pid}/environ`)]);
    return texts.filter((text) => secrets.some((secret) => text.includes(secret))).map((text) => text.replaceAll('\0', ' '));
  },
  squat: (port: number) => untilListening(squatter, port),
  heard: () => ({ plain: Buffer.concat(heard).toString('latin1'), connections }),
  leave: () => void squatter.close(),
};

const heard: Buffer[] = [];
let connections = 0;
const withTls = createTlsServer({ cert: certificate, key }, speakAmqp).on('tlsClientError', () => undefined);
/** A broker of AMQP, with TLS for those who begin so. */
const squatter = createServer((socket) => {
  connections++;
  socket.on('error', () => undefined).once('data', (first: Buffer) => {
    if (first[0] !== TLS_HANDSHAKE) return speakAmqp(socket);
    socket.pause();
    socket.unshift(first);
    withTls.emit('connection', socket);
  });
});

/** First byte of every connection with TLS. */
const TLS_HANDSHAKE = 0x16;
/** Connection.Start of AMQP 0-9-1: version, no properties, PLAIN, en_US. What follows from the client is its password. */
const METHOD = Buffer.concat([Buffer.from([0, 10, 0, 10, 0, 9, 0, 0, 0, 0]), longString('PLAIN'), longString('en_US')]);
const START = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, METHOD.length]), METHOD, Buffer.from([0xce])]);

function longString(text: string): Buffer {
  return Buffer.from([0, 0, 0, text.length, ...Buffer.from(text)]);
}

function speakAmqp(socket: Socket): void {
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => void heard.push(chunk));
  socket.write(START);
}

/** The port is free for as long as the server that had it takes to come back. */
function untilListening(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve) => {
    server.on('error', () => setTimeout(() => server.listen(port, '127.0.0.1'), 2));
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** Every server shows its certificate to whoever asks. */
function shownCertificate(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(`-----BEGIN CERTIFICATE-----\n${socket.getPeerCertificate().raw.toString('base64')}\n-----END CERTIFICATE-----\n`);
      socket.destroy();
    });
    socket.on('error', () => resolve(certificate));
  });
}

function inFile(text: string): string {
  const file = join(tmpdir(), `stranger-${randomUUID()}.pem`);
  writeFileSync(file, text);
  process.once('exit', () => rmSync(file));
  return file;
}

async function appendThrough(url: string): Promise<string> {
  const client = EventStoreDBClient.connectionString(url);
  const event = jsonEvent({ type: 'PaymentSucceeded', data: { by: 'a stranger' } });
  return outcome(client.appendToStream('payment-of-a-stranger', event, { deadline: ANSWER_LIMIT_MS }).finally(() => void client.dispose()));
}

async function loginAt(url: string): Promise<string> {
  const connection = new Connection({ url, tls: url.startsWith('amqps') ? { rejectUnauthorized: false } : false, acquireTimeout: ANSWER_LIMIT_MS });
  const failed = new Promise<never>((_, reject) => connection.on('error', reject));
  return outcome(Promise.race([connection.onConnect(ANSWER_LIMIT_MS, true), failed]).finally(() => connection.unsafeDestroy()));
}

async function queryAt(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_LIMIT_MS });
  client.on('error', () => undefined);
  return outcome(client.connect().finally(() => client.end().catch(() => undefined)));
}

function outcome(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(() => 'GOT IN', (error: unknown) => `refused: ${(error as Error).message}`);
}

/** Also a folder's list, and a socket. */
function opens(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') connectSocket(path).destroy();
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

process.on('message', ({ name, input }: { readonly name: string; readonly input: never }) => {
  void Promise.resolve(attempts[name]?.(input)).then((result) => process.send?.({ name, result }));
});
process.send?.({ name: 'ready', result: process.getuid?.() });
