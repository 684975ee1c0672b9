import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

/** Asked to stop as soon as it listens for that: it says what its settings are, and that it stops, and starts nothing. */
const AT_ONCE = `data:text/javascript,${encodeURIComponent("process.on('newListener', (name) => { if (name === 'SIGTERM') queueMicrotask(() => process.kill(process.pid, name)); });")}`;
const PROGRAM = [process.execPath, join(import.meta.dirname, 'main.ts')] as const;
// Linux's own way to a terminal; without it there is none to look at.
const hasScript = spawnSync('script', ['--version']).status === 0;

async function said(environment: Readonly<Record<string, string>>, { onTerminal }: { readonly onTerminal: boolean }): Promise<string[]> {
  const [command, ...args] = onTerminal ? ['script', '--quiet', '--return', '--command', PROGRAM.join(' '), '/dev/null'] : PROGRAM;
  const env = { PATH: '/usr/bin:/bin', PAYNOTIFY_DATA: join(tmpdir(), 'paynotify-never-made'), NODE_OPTIONS: `--import ${AT_ONCE}`, ...environment };
  const child = spawn(command ?? '', args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(code).toBe(0);
  return output.split(/\r?\n/).filter((line) => line.includes('config.read') || line.includes('shutdown.begun'));
}

const isJson = (line: string): boolean => line.startsWith('{') && (JSON.parse(line) as { level?: number }).level === 30;
const isReadable = (line: string): boolean => /^\d\d:\d\d:\d\d\.\d{3}Z INFO {2}(?:config\.read settings=\{|shutdown\.begun signal=SIGTERM$)/.test(line);

describe('the log', () => {
  it.each([[{}, isJson], [{ LOG_FORMAT: 'pretty' }, isReadable]] as const)('in a pipe is JSON, unless LOG_FORMAT says otherwise: %j', async (environment, isRight) => {
    const lines = await said(environment, { onTerminal: false });
    expect(lines.map(isRight)).toEqual([true, true]);
  });

  // Needs util-linux's script(1), which opens a terminal.
  it.skipIf(!hasScript)('at a terminal is for a person', async () => {
    const lines = await said({}, { onTerminal: true });
    expect(lines.map(isReadable)).toEqual([true, true]);
  });
});
