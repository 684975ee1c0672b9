import { afterEach, expect, test } from 'vitest';
import type { Health } from '../../src/platform/observe/health.ts';
import type { SigningKey } from '../../src/modules/payments/index.ts';
import { openProgramServers, startProgram, type Program } from '../harness/program.ts';
import { until } from '../harness/until.ts';

/**
 * The clock of the host steps while the program runs; the servers' and the providers' stay right.
 * Certain: by how much, and what is sent. Not certain: when the program takes notice of the step, which is waited for.
 */
const WITHIN_MS = 30_000;
const STEP_SECONDS = 600;
/** SIGUSR2 steps the clock of the program, or steps it back. Timers and other processes keep theirs. */
const STEPPING = `
  const Right = Date; let step = 0;
  process.on('SIGUSR2', () => { step = step === 0 ? ${STEP_SECONDS * 1000} : 0; });
  globalThis.Date = class extends Right {
    constructor(...given) { if (given.length === 0) super(Right.now() + step); else super(...given); }
    static now() { return Right.now() + step; }
  };`;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function healthOf(program: Program): Promise<Health & { readonly status: number }> {
  const response = await fetch(`${program.url}/health/ready`);
  return { ...((await response.json()) as Health), status: response.status };
}

const clockOf = async (program: Program): Promise<string> => (await healthOf(program)).workers.clock?.reason ?? '';

test.each<[SigningKey['provider'], string, number]>([
  ['wechatpay', "WeChat Pay's", 204],
  ['stripe', "Stripe's", 200],
  ['standard', "the webhook sender's", 200],
])('three genuine notifications of %s that are refused for their time alone name the clock; one that is sent again and again does not', async (provider, whose, accepted) => {
  const servers = await openProgramServers();
  cleanUps.push(() => servers.close());
  const program = await startProgram({ ...servers.environment, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(STEPPING)}` }, ['ignore', 'ignore', 'inherit']);
  cleanUps.push(async () => program.child.kill('SIGKILL') && program.exited);
  await program.ready();
  const shop = program.shop();
  const payments = await Promise.all([0, 1, 2].map(() => shop.openPayment({ provider })));
  expect(await clockOf(program)).toBe('');

  program.child.kill('SIGUSR2');
  await until('the clock to step', WITHIN_MS, async () => ((await clockOf(program)).includes("ahead of the database's") ? true : null));
  for (let n = 0; n < 20; n++) expect(await shop.pay(payments[0]!)).toBe(401);
  expect(await shop.pay(payments[1]!)).toBe(401);
  expect(await clockOf(program)).not.toContain(whose);
  expect(await shop.pay(payments[2]!)).toBe(401);
  const { status, ready, workers } = await healthOf(program);
  expect({ status, ready, clock: workers.clock?.status }).toEqual({ status: 200, ready: true, clock: 'warning' });
  const [, seconds] = new RegExp(`this host's clock is (\\d+) s ahead of ${whose}`).exec(workers.clock?.reason ?? '') ?? [];
  expect(Math.abs(Number(seconds) - STEP_SECONDS)).toBeLessThan(10);
  expect(await program.metrics()).toMatch(new RegExp(`paynotify_clock_offset_seconds\\{source="${provider}"\\} 60\\d`));

  program.child.kill('SIGUSR2');
  await until('the clock to be right', WITHIN_MS, async () => ((await clockOf(program)).includes('database') ? null : true));
  for (const payment of payments) expect(await shop.pay(payment)).toBe(accepted);
  expect((await healthOf(program)).workers.clock).toEqual({ status: 'ok' });
});
