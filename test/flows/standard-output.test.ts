import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { canMountSmallDisk, mountSmallDisk } from '../contracts/event-store/small-disk.ts';
import { openProgramServers, startProgram, type Program, type ProgramServers } from '../harness/program.ts';
import { freshPath } from '../harness/services.ts';
import { inParallel, type OpenPayment } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

/**
 * Whatever becomes of standard output, webhooks are answered and the program ends in order, within its time.
 * Certain: each output takes less than is written to it. Not certain: how much of it, since pipes have sizes of their own.
 */
const WEBHOOKS = 400;
const SHUTDOWN_TIMEOUT_MS = 10_000;
const ENDED_WITHIN_MS = SHUTDOWN_TIMEOUT_MS + 5_000;
/** About 600 bytes for each webhook: what is kept in memory is exceeded with this many. */
const WEBHOOKS_BEYOND_MEMORY = 3_000;
const ENVIRONMENT = { LOG_LEVEL: 'debug', PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS) };
const TEST_LIMIT_MS = 120_000;

let servers: ProgramServers;
let payment: OpenPayment;
const begunPrograms: Program[] = [];
beforeAll(async () => void (servers = await openProgramServers()));
afterAll(async () => {
  for (const program of begunPrograms) program.child.kill('SIGKILL');
  await servers?.close();
});

async function begun(stdout: number | 'pipe'): Promise<Program> {
  const program = await startProgram({ ...servers.environment, ...ENVIRONMENT }, ['ignore', stdout, 'ignore']);
  begunPrograms.push(program);
  await program.ready();
  payment = await program.shop().openPayment();
  return program;
}

/** The same one again and again: each is answered, and logged. */
async function allAnswered(program: Program, count: number): Promise<void> {
  const shop = program.shop();
  const statuses = await inParallel(Array.from({ length: count }), () => shop.pay(payment));
  expect(new Set(statuses)).toEqual(new Set([200]));
}

async function endsInOrder(program: Program): Promise<void> {
  const stoppedAt = performance.now();
  program.child.kill('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeLessThan(ENDED_WITHIN_MS);
  expect(existsSync(join(program.data, 'in-use.pid'))).toBe(false);
}

/** A pipe as a shell makes it. Opened for both, so that it has a reader, who reads nothing. */
function pipeThatNobodyReads(): { readonly writer: number; readonly reader: number } {
  const path = freshPath();
  spawnSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDWR);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

test('a pipe that nobody reads', async () => {
  const { writer, reader } = pipeThatNobodyReads();
  const program = await begun(writer);
  await allAnswered(program, WEBHOOKS);
  await endsInOrder(program);
  closeSync(writer);
  closeSync(reader);
}, TEST_LIMIT_MS);

test('a socket that nobody reads, as a service manager hands out', async () => {
  const program = await begun('pipe');
  program.child.stdout?.pause();
  await allAnswered(program, WEBHOOKS);
  await endsInOrder(program);
}, TEST_LIMIT_MS);

test('a pipe whose reader has gone', async () => {
  const { writer, reader } = pipeThatNobodyReads();
  const program = await begun(writer);
  closeSync(writer);
  closeSync(reader);
  await allAnswered(program, WEBHOOKS);
  await endsInOrder(program);
}, TEST_LIMIT_MS);

test('a device that is always full', async () => {
  const full = openSync('/dev/full', 'w');
  const program = await begun(full);
  await allAnswered(program, WEBHOOKS);
  await endsInOrder(program);
  closeSync(full);
}, TEST_LIMIT_MS);

// A file system of a size of its own needs Linux and the right to mount.
test.skipIf(!canMountSmallDisk())('a file on a file system of 64 kB, where what was dropped is told when there is room', async () => {
  const disk = await mountSmallDisk(64 * 1024);
  const path = join(disk.seenAt, 'out.log');
  const file = openSync(path, 'a');
  const program = await begun(file);
  await allAnswered(program, WEBHOOKS_BEYOND_MEMORY);
  expect(await disk.freeBytes()).toBe(0);
  const dropped = Number(/^paynotify_log_lines_dropped_total (\d+)$/m.exec(await program.metrics())?.[1]);
  expect(dropped).toBeGreaterThan(0);

  const told = await until('the line about what was dropped', TEST_LIMIT_MS, async () => {
    const line = readFileSync(path, 'utf8').split('\n').find((text) => text.includes('log.lines-dropped'));
    // Nothing can be written between the two: only a full file is emptied.
    if (line === undefined && (await disk.freeBytes()) === 0) ftruncateSync(openSync(path, 'r+'));
    return line ?? null;
  });
  expect(JSON.parse(told)).toMatchObject({ level: 40, event: 'log.lines-dropped', lines: expect.any(Number) });
  expect((JSON.parse(told) as { lines: number }).lines).toBeGreaterThanOrEqual(dropped);
  await endsInOrder(program);
  closeSync(file);
  await disk.close();
}, TEST_LIMIT_MS);
