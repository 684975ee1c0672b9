import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import { generateDemoAccounts } from '../../src/modules/payments/index.ts';
import { createTestDatabase, createTestVhost, freshPath } from '../harness/services.ts';

/**
 * `npm start` as a person types it, in a process group of its own like a terminal gives it.
 * Certain: what it prints, what runs and what does not. Not certain: how long the broker takes on a busy machine.
 */
const ROOT = resolve(import.meta.dirname, '../..');
const START_LIMIT_MS = 120_000;

interface Run {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when the output matches; rejects when the process ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Signals the whole group, as Ctrl-C does, and waits for the end. @returns the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  readonly exited: Promise<number | null>;
}

const runs: Run[] = [];
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const run of runs.splice(0)) await run.end('SIGKILL');
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

function npm(args: readonly string[], environment: Readonly<Record<string, string>>): Run {
  const inherited = { PATH: process.env.PATH, HOME: process.env.HOME } as Record<string, string>;
  const child = spawn('npm', args, { cwd: ROOT, env: { ...inherited, ...environment }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      for (const listen of heard) listen();
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const run: Run = {
    child,
    exited,
    output: () => text,
    until(pattern) {
      return new Promise((resolveMatch, reject) => {
        const listen = (): void => {
          const match = pattern.exec(text);
          if (match !== null) resolveMatch(match);
        };
        heard.add(listen);
        listen();
        void exited.then((code) => reject(new Error(`ended with ${code} before it printed ${pattern}:\n${text}`)));
      });
    },
    async end(signal) {
      try {
        process.kill(-(child.pid as number), signal);
      } catch {
        // The group is gone already.
      }
      return exited;
    },
  };
  runs.push(run);
  return run;
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return String(port);
}

/** Embedded servers and their guardians run inside the folder of their data. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
      } catch {
        return false;
      }
    });
}

function commandOf(pid: string): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/health/ready`)).ok;
}

async function untilNothingRunsIn(folder: string): Promise<void> {
  await expect.poll(() => processesIn(folder), { timeout: 30_000, interval: 100 }).toEqual([]);
}

const tokenLines = (output: string): string[] => output.match(/paynotify_(?:admin|service)_\S+/g) ?? [];

describe('npm start with nothing configured', () => {
  it('serves, lets the demo pass, refuses a second start, and Ctrl-C stops everything it started', async () => {
    const data = freshPath();
    const environment = { PAYNOTIFY_DATA: data, PORT: await freePort() };
    const first = npm(['start'], environment);
    await first.until(/accepts webhooks at http:\/\/127\.0\.0\.1:\d+/);
    const shown = tokenLines(first.output());
    expect(shown).toHaveLength(2);
    // Beside the running one, which it neither stops nor waits for.
    const asked = npm(['run', '--silent', 'tokens'], environment);
    expect(await asked.exited, asked.output()).toBe(0);
    expect(asked.output()).toMatch(new RegExp(`^service token \\(shop\\): ${shown[0]}\nadmin token \\(operator\\): ${shown[1]}\n$`));
    expect(statSync(join(data, 'tokens.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'provider-signing-keys.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'provider-accounts.json')).mode & 0o777).toBe(0o600);

    const second = npm(['start'], { ...environment, PORT: await freePort() });
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(/data directory .* is in use by process \d+/);

    await first.until(/paynotify is ready/);
    const demo = npm(['run', 'demo'], environment);
    expect(await demo.exited, demo.output()).toBe(0);
    expect(demo.output()).toMatch(/learning +applied \d+ ms[^]*orders +applied \d+ ms[^]*600002 = paid[^]*702001 = may learn/);

    // A terminal sends it to npm and to the program, and npm passes it on: the program gets two at once, here in one instant.
    const program = Number(readFileSync(join(data, 'in-use.pid'), 'utf8'));
    for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) process.kill(program, signal);
    await first.exited;
    await untilNothingRunsIn(data);
    // Given back, and so stopped in order and not by force.
    expect(existsSync(join(data, 'in-use.pid'))).toBe(false);
  }, 2 * START_LIMIT_MS);

  it('needs no manual step after kill -9 of everything, keeps tokens and data, shows tokens no more, and needs none after kill -9 of an embedded server', async () => {
    const data = freshPath();
    const environment = { PAYNOTIFY_DATA: data, PORT: await freePort() };
    const first = npm(['start'], environment);
    await first.until(/paynotify is ready/);
    const demo = npm(['run', 'demo'], environment);
    await demo.exited;
    const payNo = /payNo (\d+)/.exec(demo.output())?.[1];
    await first.end('SIGKILL');

    const second = npm(['start'], environment);
    const [, url] = (await second.until(/paynotify is ready: (\S+)/)) as unknown as [string, string];
    expect(tokenLines(second.output())).toEqual([]);
    expect(second.output()).toContain(`shown by: PAYNOTIFY_DATA=${data} npm run tokens`);
    const { admin } = JSON.parse(readFileSync(join(data, 'tokens.json'), 'utf8')) as { admin: Record<string, string> };
    const trail = await fetch(`${url}/admin/payments/${payNo}`, { headers: { authorization: `Bearer ${Object.values(admin)[0]}` } });
    expect(await trail.json()).toMatchObject({ state: 'complete' });
    const demoAgain = npm(['run', 'demo'], environment);
    expect(await demoAgain.exited, demoAgain.output()).toBe(0);

    // An embedded server that dies while the application runs is started again at the same address, and what was waiting goes on.
    for (const [folder, program] of [['postgres', 'postgres'], ['rabbitmq', 'beam.smp']] as const) {
      const [pid] = processesIn(join(data, folder)).filter((candidate) => commandOf(candidate) === program);
      expect(pid, `${program} runs in ${folder}`).toBeDefined();
      process.kill(Number(pid), 'SIGKILL');
      // Not ready any more, and then ready again, without anybody's help.
      await expect.poll(() => isReady(url), { timeout: 30_000, interval: 50 }).toBe(false);
      await expect.poll(() => isReady(url), { timeout: START_LIMIT_MS, interval: 200 }).toBe(true);
      const demoThen = npm(['run', 'demo'], environment);
      expect(await demoThen.exited, demoThen.output()).toBe(0);
    }
    // SIGTERM to npm alone, as a service manager does it.
    second.child.kill('SIGTERM');
    await second.exited;
    await untilNothingRunsIn(data);
  }, 3 * START_LIMIT_MS);
});

describe('npm start with servers configured', () => {
  it('uses those, starts nothing of its own, and prints no secret', async () => {
    const store = await startEventStoreServer({ port: 0, directory: null });
    const [database, vhost] = await Promise.all([createTestDatabase('empty'), createTestVhost('empty')]);
    cleanUps.push(() => store.close(), () => database.drop(), () => vhost.delete());
    const data = freshPath();
    // A data directory from before there were more providers: its accounts stay, and the others are added.
    const old = await generateDemoAccounts(['standard', 'alipay']);
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'provider-accounts.json'), JSON.stringify(old.accountsFile));
    writeFileSync(join(data, 'provider-signing-keys.json'), JSON.stringify(old.signingKeys));
    const environment = {
      PAYNOTIFY_DATA: data,
      PORT: await freePort(),
      EVENTSTORE_URL: `esdb://127.0.0.1:${store.port}?tls=false`,
      DATABASE_URL: database.url,
      RABBITMQ_URL: vhost.url,
      LOG_LEVEL: 'trace',
    };
    const run = npm(['start'], environment);
    await run.until(/paynotify is ready/);
    expect(processesIn(data)).toEqual([]);
    const kept = (name: string): unknown => JSON.parse(readFileSync(join(data, name), 'utf8'));
    const added = [expect.objectContaining({ provider: 'wechatpay' }), expect.objectContaining({ provider: 'stripe' })];
    expect(kept('provider-accounts.json')).toEqual({ accounts: [...old.accountsFile.accounts, ...added] });
    expect(kept('provider-signing-keys.json')).toEqual([...old.signingKeys, ...added]);
    expect(statSync(join(data, 'provider-accounts.json')).mode & 0o777).toBe(0o600);
    const demo = npm(['run', 'demo'], environment);
    expect(await demo.exited, demo.output()).toBe(0);
    await run.end('SIGINT');
    const secrets = [new URL(database.url).password, new URL(vhost.url).password].filter((secret) => secret !== '');
    for (const secret of secrets) expect(run.output()).not.toContain(secret);
  }, START_LIMIT_MS);

  it('refuses to put an embedded server beside configured ones that nobody has named, and starts nothing', async () => {
    const data = freshPath();
    const run = npm(['start'], { PAYNOTIFY_DATA: data, PORT: await freePort(), DATABASE_URL: 'postgresql://u:hunter2@127.0.0.1:1/x', RABBITMQ_URL: 'amqp://127.0.0.1:1' });
    expect(await run.exited).toBe(1);
    expect(run.output()).toMatch(/paynotify: EVENTSTORE_URL is not set, but DATABASE_URL and RABBITMQ_URL are: .* PAYNOTIFY_EMBEDDED=event-store\.$/m);
    expect(run.output()).not.toContain('hunter2');
    expect(() => statSync(data)).toThrow();
  });

  it('names every bad setting with its problem and an example, and starts nothing', async () => {
    const data = freshPath();
    // Of letters that stand in no message.
    const secret = 'Zq7Xv9Kw3Jx8';
    const run = npm(['start'], { PAYNOTIFY_DATA: data, PORT: 'http', DATABASE_URL: `mysql://root:${secret}@db/x`, EVENTSTORE_URL: `esdb://admin:${secret}@es:2113?tls=false&unknown=1`, RABBITMQ_URL: `amqp://u:p@s#s%w/${secret}@mq`, PAYNOTIFY_ATTEMPTS: '0' });
    expect(await run.exited).toBe(1);
    expect(run.output()).toMatch(/PORT must be a whole number from 0 to 65535; its value is "http"\. Example: PORT=8080/);
    expect(run.output()).toMatch(/DATABASE_URL must be a URL that begins with postgresql:\/\/ or postgres:\/\/; its value is \(not shown\)/);
    expect(run.output()).toMatch(/EVENTSTORE_URL must end behind the hosts, or with options of the client/);
    expect(run.output()).toMatch(/RABBITMQ_URL must be a URL whose parts can be told apart/);
    expect(run.output()).toMatch(/PAYNOTIFY_ATTEMPTS must be a whole number from 1 to 100/);
    for (let at = 0; at + 4 <= secret.length; at++) expect(run.output()).not.toContain(secret.slice(at, at + 4));
    expect(() => statSync(data)).toThrow();
  });
});
