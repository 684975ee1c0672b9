import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/platform/embedded/index.ts';
import { selfSigned } from '../../src/platform/embedded/self-signed.ts';
import { silentLogger as log } from '../../src/platform/observe/logger.ts';
import { freshPath } from '../harness/services.ts';
import { application, kill, opened, query, undo, processesIn, untilNothingRunsIn } from './embedded-rig.ts';

describe('the embedded PostgreSQL', () => {
  test('starts, keeps committed rows over an orderly stop, and leaves no process', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS value');
    await first.stop();
    expect(processesIn(directory.path)).toEqual([]);
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
    expect(await query(second.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
  });

  test('asks for its password, which only its owner can read', async () => {
    const directory = await opened();
    const server = await startEmbeddedPostgres({ directory, log });
    undo.push(() => server.stop());
    const url = new URL(server.url);
    url.password = 'wrong';
    await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(join(directory.path, 'postgres/password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory.path, 'postgres/data')).mode & 0o777).toBe(0o700);
  });

  test('recovers from kill -9 of the server with every committed row', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await query(first.url, 'CREATE TABLE kept (value int)');
    for (let value = 0; value < 20; value++) await query(first.url, `INSERT INTO kept VALUES (${value})`);
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toBe('was ended by signal 9');
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(await query(second.url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 20 }]);
  });

  test('ends when the application is killed', async () => {
    const path = freshPath();
    const app = await application(path, 'postgres');
    expect(processesIn(path)).toContain(app.running[0]?.pid);
    await kill(app.child);
    await untilNothingRunsIn(path);
  });

  test('starts at once after the application was killed, whatever its old server is doing', async () => {
    const path = freshPath();
    const first = await application(path, 'postgres');
    await query(first.running[0]?.url ?? '', 'CREATE TABLE kept AS SELECT 7 AS value');
    await kill(first.child);
    const second = await application(path, 'postgres');
    expect(second.error).toBeUndefined();
    expect(await query(second.running[0]?.url ?? '', 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  test('takes over from a server whose application and guardian were both killed', async () => {
    const path = freshPath();
    const first = await application(path, 'postgres');
    const server = first.running[0]?.pid ?? 0;
    // Stopped, it cannot notice that its guardian dies, so nobody is left to stop the server.
    first.child.kill('SIGSTOP');
    for (const pid of processesIn(path)) if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('paynotify-guardian')) process.kill(pid, 'SIGKILL');
    await kill(first.child);
    expect(processesIn(path)).toContain(server);
    const second = await application(path, 'postgres');
    expect(second.error).toBeUndefined();
    expect(processesIn(path)).not.toContain(server);
  });

  test('is not kept from starting by a lock file whose pid has become somebody else', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    const lockFile = join(directory.path, 'postgres/data/postmaster.pid');
    const lines = readFileSync(lockFile, 'utf8').split('\n');
    await first.stop();
    // The stranger must belong to the server's user: of others PostgreSQL itself knows that they are no server.
    const owner = statSync(join(directory.path, 'postgres')).uid;
    const stranger = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid: owner } : {});
    undo.push(() => kill(stranger));
    writeFileSync(lockFile, [stranger.pid, ...lines.slice(1)].join('\n'));
    const second = await startEmbeddedPostgres({ directory, log });
    await second.stop();
  });

  // Only root can close a folder to the server's user and still read it itself.
  test.runIf(process.getuid?.() === 0)('runs for root below a folder that is closed to everybody else', async () => {
    const closed = freshPath();
    mkdirSync(closed, { mode: 0o700 });
    const directory = await opened(join(closed, 'data'));
    const server = await startEmbeddedPostgres({ directory, log });
    undo.push(() => server.stop());
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(statSync(join(directory.path, 'postgres')).uid).not.toBe(0);
  });

  test('moves to another port when a stranger has taken the remembered one', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await first.stop();
    const stranger = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
    await once(stranger, 'listening');
    undo.push(() => stranger.close());
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
  });

  test('is stood in for by nobody: whoever has its port while it is away hears neither password nor statement', async () => {
    const directory = await opened();
    const server = await startEmbeddedPostgres({ directory, log });
    await server.stop();
    const heard: Buffer[] = [];
    const own = selfSigned('stranger');
    const askForPassword = (socket: Socket): void => {
      // AuthenticationCleartextPassword, which the client would answer, and AuthenticationOk, which it would believe.
      socket.on('data', (chunk: Buffer) => {
        heard.push(chunk);
        socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      });
    };
    const withTls = createTlsServer({ cert: own.certificate, key: own.key }, askForPassword).on('tlsClientError', () => undefined);
    const answers = ['S', 'N'];
    const stranger = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => {
        const answer = answers.shift();
        socket.write(answer ?? '');
        if (answer === 'S') withTls.emit('connection', socket);
        else askForPassword(socket);
      });
    }).listen(Number(new URL(server.url).port), '127.0.0.1');
    await once(stranger, 'listening');
    undo.push(() => stranger.close());
    await expect(query(server.url, 'SELECT 1')).rejects.toThrow('self-signed certificate');
    await expect(query(server.url, 'SELECT 1')).rejects.toThrow('does not support SSL');
    expect(answers).toEqual([]);
    expect(Buffer.concat(heard).toString('latin1')).toBe('');
  });

  test('says why it cannot start by the line of its log that names the cause', async () => {
    const directory = await opened();
    await (await startEmbeddedPostgres({ directory, log })).stop();
    writeFileSync(join(directory.path, 'postgres/data/postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbeddedPostgres({ directory, log })).rejects.toThrow(/while starting on port \d+: LOG: +unrecognized configuration parameter "no_such_setting"/);
    expect(processesIn(directory.path)).toEqual([]);
  });
});
