import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openProgramServers, PROGRAM_COMMAND, startProgram, type Program, type ProgramServers } from '../harness/program.ts';
import { until } from '../harness/until.ts';

/**
 * Signals at every stage of the program's life, and from what it is started by.
 * Certain: the stage at which each arrives. Not certain: how long a start takes that is already under way.
 */
const WITHIN_MS = 60_000;
const TEST_LIMIT_MS = 120_000;
const SIGHUP = 1;

let servers: ProgramServers;
const started: Program[] = [];
beforeAll(async () => void (servers = await openProgramServers()));
afterAll(async () => {
  for (const program of started) program.child.kill('SIGKILL');
  await servers?.close();
});

async function begin(environment: Readonly<Record<string, string>> = servers.environment, command = PROGRAM_COMMAND): Promise<Program & { output: Promise<string> }> {
  const program = await startProgram(environment, ['ignore', 'pipe', 'inherit'], command);
  started.push(program);
  return Object.assign(program, { output: text(program.child.stdout!) });
}

/** A module that sends the program this signal as soon as it listens for it, not a turn later. */
function signalledBy(signal: NodeJS.Signals): string {
  const source = `process.on('newListener', (name) => { if (name === '${signal}') queueMicrotask(() => process.kill(process.pid, name)); });`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && `${readlinkSync(`/proc/${name}/cwd`)}/`.startsWith(`${folder}/`);
    } catch {
      return false;
    }
  });
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s is answered before anything is read or started, with code 0', async (signal) => {
  const program = await begin({ ...servers.environment, NODE_OPTIONS: `--import ${signalledBy(signal)}` });
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(await program.output).toMatch(new RegExp(`"event":"shutdown.begun","signal":"${signal}"`));
  expect(await program.output).not.toContain('accepts webhooks');
  expect(existsSync(program.data)).toBe(false);
}, TEST_LIMIT_MS);

test('while servers of its own are starting, all of them end, in order and without a stack', async () => {
  const program = await begin({});
  await program.pid();
  await until('a server', WITHIN_MS, () => processesIn(program.data).length > 0 || null);
  program.child.kill('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(processesIn(program.data)).toEqual([]);
  expect(existsSync(join(program.data, 'in-use.pid'))).toBe(false);
  expect(await program.output).not.toMatch(/"stack"|accepts webhooks/);
}, TEST_LIMIT_MS);

test('SIGHUP to the running program is an orderly stop, and a line says so', async () => {
  const program = await begin();
  await program.ready();
  program.child.kill('SIGHUP');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(join(program.data, 'in-use.pid'))).toBe(false);
  expect(await program.output).toMatch(/"event":"shutdown.begun","signal":"SIGHUP"/);
}, TEST_LIMIT_MS);

/** In a terminal of its own, which ends with `script`. */
const inTerminal = (command: string): readonly [string, ...string[]] => ['script', '--quiet', '--return', '--command', command, '/dev/null'];
const [node, main] = PROGRAM_COMMAND;

test('a terminal that is closed ends it in order', async () => {
  const program = await begin(servers.environment, inTerminal(`exec '${node}' '${main}'`));
  const pid = await program.pid();
  await program.ready();
  program.child.kill('SIGKILL');
  await until('its end', WITHIN_MS, () => !existsSync(`/proc/${pid}`) || null);
  expect(existsSync(join(program.data, 'in-use.pid'))).toBe(false);
}, TEST_LIMIT_MS);

test.each([
  ['nohup in a terminal', inTerminal(`nohup '${node}' '${main}' | cat`)],
  ['a shell that ignores it', ['sh', '-c', `trap '' HUP; '${node}' '${main}'; exit $?`] as const],
])('behind %s SIGHUP is ignored, and SIGTERM is not', async (_what, command) => {
  const program = await begin(servers.environment, command);
  const pid = await program.pid();
  await program.ready();
  process.kill(pid, 'SIGHUP');
  await until('the signal to be taken', WITHIN_MS, () => !isPending(pid, SIGHUP) || null);
  expect((await fetch(`${program.url}/health/ready`)).status).toBe(200);
  process.kill(pid, 'SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(existsSync(join(program.data, 'in-use.pid'))).toBe(false);
  expect((await program.output).match(/"event":"shutdown.begun","signal":"\w+"/g)).toEqual(['"event":"shutdown.begun","signal":"SIGTERM"']);
}, TEST_LIMIT_MS);

function isPending(pid: number, signal: number): boolean {
  const mask = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${mask}`) >> BigInt(signal - 1)) % 2n === 1n;
}
