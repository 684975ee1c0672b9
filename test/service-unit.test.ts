import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SETTINGS } from '../src/config.ts';
import { STOP_SHARES } from '../src/run.ts';
import { SERVERS_STOP_LIMIT_MS } from '../src/services.ts';

const ROOT = resolve(import.meta.dirname, '..');
const UNIT = readFileSync(join(ROOT, 'deploy/paynotify.service'), 'utf8');
const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(UNIT)?.[1] ?? '';
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

// Containers and other systems have no systemd, and nothing that could read the unit in its place.
it.skipIf(!hasSystemd)('systemd understands every line of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'paynotify-unit-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [program = ''] = setting('ExecStart').split(' ');
  // It also looks whether the program is there, so one stands where this machine can have it.
  const standIn = join(folder, program);
  mkdirSync(dirname(standIn), { recursive: true });
  writeFileSync(standIn, '#!/bin/sh\n');
  chmodSync(standIn, 0o755);
  const path = join(folder, 'paynotify.service');
  writeFileSync(path, UNIT.replaceAll('/opt/paynotify', join(folder, '/opt/paynotify')));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
  const about = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('paynotify'));
  expect({ status, about }).toEqual({ status: 0, about: [] });
});

it('runs as a user of its own, starts again, and starts what is there', () => {
  expect(setting('User')).toBe('paynotify');
  expect(setting('Restart')).toBe('always');
  const [, program, argument] = /^\/opt\/paynotify\/(\S+) (\S+)$/.exec(setting('ExecStart')) ?? [];
  expect(program).toBe('node_modules/.bin/node');
  expect(readFileSync(join(ROOT, argument ?? ''), 'utf8')).toContain('listenForStop');
  expect(setting('Environment')).toBe(`${SETTINGS.dataDirectory.variable}=/var/lib/${setting('StateDirectory')}`);
});

it('gives a stop all the time that the program gives itself, as a container does', () => {
  const seconds = (file: string, pattern: RegExp): number => Number(pattern.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1]);
  const given = [
    Number(setting('TimeoutStopSec')), seconds('compose.yaml', /stop_grace_period: (\d+)s/), seconds('Dockerfile', /--stop-timeout (\d+)/), seconds('README.md', /--stop-timeout (\d+)/),
  ];
  const own = (STOP_SHARES * SETTINGS.shutdownTimeoutMs.fallback + SERVERS_STOP_LIMIT_MS) / 1000;
  expect(given.filter((limit) => !(limit > own))).toEqual([]);
});
