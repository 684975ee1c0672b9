import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { startProgram, type Program } from '../harness/program.ts';
import { until } from '../harness/until.ts';

/**
 * Everything embedded, and another user of the same machine (stranger.ts) who tries to read it, to write to it and to
 * stand in for it. Certain: what the servers and the kernel refuse. Not certain: how long a broker takes to come back.
 */
const START_LIMIT_MS = 120_000;

interface Ports {
  readonly amqp: number;
  readonly postgres: number;
  readonly 'event-store': number;
}

interface Health {
  readonly dependencies: Readonly<Record<string, { readonly status: string; readonly reason?: string }>>;
}

function startStranger() {
  const child = fork(resolve(import.meta.dirname, 'stranger.ts'), [], { cwd: '/', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const answerTo = async <T>(name: string): Promise<T> => {
    for (;;) {
      const [message] = (await once(child, 'message')) as [{ name: string; result: T }];
      if (message.name === name) return message.result;
    }
  };
  return {
    ready: answerTo<number>('ready'),
    async tries<T>(name: string, input?: unknown): Promise<T> {
      const answer = answerTo<T>(name);
      child.send({ name, input });
      return answer;
    },
    end: () => child.kill(),
  };
}

function everythingBelow(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.map((name) => join(folder, name));
}

// Only root can become somebody else.
describe.runIf(process.getuid?.() === 0)('another user of the machine', () => {
  let program: Program;
  let stranger: ReturnType<typeof startStranger>;
  let ports: Ports;
  const kept = (name: string): string => readFileSync(join(program.data, name), 'utf8').trim();

  beforeAll(async () => {
    // Whatever the umask of whoever starts it.
    program = await startProgram({}, ['ignore', 'ignore', 'inherit'], ['/bin/sh', '-c', 'umask 000; exec "$@"', 'sh', process.execPath, resolve('src/main.ts')]);
    stranger = startStranger();
    expect(await stranger.ready).toBe(54_321);
    await program.ready();
    ports = JSON.parse(kept('ports.json')) as Ports;
  }, START_LIMIT_MS);

  afterAll(async () => {
    stranger.end();
    program.child.kill('SIGINT');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  }, START_LIMIT_MS);

  it('appends nothing to the event store, and is in no server', async () => {
    const refused = (count: number): unknown => Array.from({ length: count }, () => expect.stringMatching(/^refused/));
    const appended = await stranger.tries<string[]>('append', ports['event-store']);
    expect(appended).toEqual(refused(4));
    expect(appended[1]).toContain('certificate required');
    expect(await stranger.tries('broker', ports.amqp)).toEqual(refused(3));
    expect(await stranger.tries('database', ports.postgres)).toEqual(refused(3));
    const identity = ['certificate.pem', 'certificate.pem', 'key.pem'].map((name) => encodeURIComponent(join(program.data, 'event-store-tls', name)));
    const store = connectEventStore(`esdb://127.0.0.1:${ports['event-store']}?tls=true&tlsCAFile=${identity[0]}&userCertFile=${identity[1]}&userKeyFile=${identity[2]}`, silentLogger);
    expect(await store.readStream('payment-of-a-stranger')).toEqual([]);
    await store.dispose();
  });

  it('opens nothing below the data directory, the lock included, and reads no secret of a process', async () => {
    const paths = [program.data, ...everythingBelow(program.data)];
    expect(paths.length).toBeGreaterThan(100);
    expect(await stranger.tries('opened', paths)).toEqual([]);
    expect(paths.filter((path) => !path.includes('/data/') && (statSync(path).mode & 0o066) !== 0)).toEqual([]);
    const tokens = JSON.parse(kept('tokens.json')) as Record<'service' | 'admin', Record<string, string>>;
    const secrets = [kept('rabbitmq/password'), kept('rabbitmq/home/.erlang.cookie'), kept('postgres/password'), ...Object.values(tokens).flatMap(Object.values<string>)];
    expect(secrets.every((secret) => secret.length > 20)).toBe(true);
    expect(await stranger.tries('told', secrets)).toEqual([]);
  });

  it('who stands in for the broker while it is away is told no password, is named, and is gone by when it leaves', async () => {
    const payment = await program.shop().openPayment();
    const squatting = stranger.tries('squat', ports.amqp);
    process.kill(Number(kept('rabbitmq/broker.pid')), 'SIGKILL');
    await squatting;
    await until('two attempts to connect', START_LIMIT_MS, async () => ((await stranger.tries<{ connections: number }>('heard')).connections >= 2 ? true : null));
    expect(await program.shop().pay(payment)).toBe(200);
    const reason = await until('the broker to be given up on', START_LIMIT_MS, async () => {
      const { dependencies } = (await (await fetch(`${program.url}/health/ready`)).json()) as Health;
      return dependencies['broker']?.reason?.includes('another program') === true ? dependencies['broker'].reason : null;
    });
    expect(reason).toContain(`127.0.0.1:${ports.amqp}`);
    expect((await stranger.tries<{ plain: string }>('heard')).plain).not.toMatch(/PLAIN/);
    await stranger.tries('leave');
    await program.ready();
    await until('the effect', START_LIMIT_MS, async () => {
      const { state } = await program.shop().call<{ state: string }>('GET', `/admin/payments/${payment.payNo}`, undefined, 'admin');
      return state === 'complete' ? true : null;
    });
  }, 2 * START_LIMIT_MS);
});
