import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

/** The last screen of a whole run is often all that is kept of it: it must say what failed, and fit. */

const ROOT = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'ci-summary-'));
afterAll(() => rmSync(folder, { recursive: true }));

const passed = { status: 'passed', fullName: 'a thing works', failureMessages: [] };
const failed = (name: string, message = 'Error: no\n    at Object.run (node:internal/x:1)') => ({ status: 'failed', fullName: name, failureMessages: [`\u001b[31m${message}\u001b[39m`] });
const file = (name: string, tests: readonly object[], seconds: number, message = '') => ({
  name: join(ROOT, name), assertionResults: tests, startTime: 1000, endTime: 1000 + seconds * 1000, message,
  status: message !== '' || tests.some((it) => 'status' in it && it.status === 'failed') ? 'failed' : 'passed',
});

function write(files: readonly ReturnType<typeof file>[]): string {
  const path = join(folder, 'results.json');
  const countOf = (status: string) => files.flatMap((it) => it.assertionResults).filter((it) => 'status' in it && it.status === status).length;
  writeFileSync(path, JSON.stringify({ numPassedTests: countOf('passed'), numFailedTests: countOf('failed'), testResults: files }));
  return path;
}

const counted = (path: string): string => execFileSync(process.execPath, [join(ROOT, 'scripts/ci/test-results.mjs'), 'count', path], { cwd: ROOT, encoding: 'utf8' }).trim();
/** With the checks that a run has made by then. */
const summaryOf = (path: string, checks: string): string =>
  execFileSync('bash', ['-uc', `. scripts/ci/checks.sh; { ${checks}; } > /dev/null; summarize "$1"`, 'bash', path], { cwd: ROOT, encoding: 'utf8' });

describe('the summary of a whole run', () => {
  test('names each failed test with its message, each file that could not run, and each failed check', () => {
    const path = write([
      file('test/a.test.ts', [passed, failed('a thing breaks')], 2),
      file('test/b.test.ts', [], 0, 'Cannot find module'),
      file('test/c.test.ts', [{ ...passed, status: 'skipped' }], 1, 'the hook timed out'),
    ]);
    expect(counted(path)).toBe('1 3');
    const lines = summaryOf(path, 'check true; check false this; count "npm start" 1').split('\n');
    expect(lines.slice(lines.indexOf('== failures'))).toEqual([
      '== failures',
      'FAILED: test/b.test.ts (the file, not one of its tests)', '    Cannot find module',
      'FAILED: test/c.test.ts (the file, not one of its tests)', '    the hook timed out',
      'FAILED: test/a.test.ts > a thing breaks', '    Error: no',
      'FAILED: false this', 'FAILED: npm start', '',
    ]);
  });

  test('tells the seconds of each step and of the ten slowest files', () => {
    const text = summaryOf(write(Array.from({ length: 30 }, (_, index) => file(`test/${index}.test.ts`, [passed], index))), 'step "one of them"; check true');
    expect(text).toMatch(/^ +\d+ s {2}one of them\n +\d+ s {2}true$/m);
    expect(text.match(/ [\d.]+ s {2}test\/.*/g)).toEqual(Array.from({ length: 10 }, (_, index) => ` ${(29 - index).toFixed(1)} s  test/${29 - index}.test.ts`));
  });

  test('fits a screen or two however much failed', () => {
    const text = summaryOf(write([file('test/a.test.ts', Array.from({ length: 500 }, (_, index) => failed(`${index} ${'x'.repeat(5000)}`, 'y\n'.repeat(5000))), 1)]), `check false ${'z'.repeat(5000)}`);
    expect(text).toContain('and 480 more\n');
    expect(text.split('\n').length).toBeLessThan(170);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(220);
  });

  test.each([['are missing', null], ['were cut off', '{"numPassedTests": 3, "testRes']])('is there when the results %s', (_what, content) => {
    const path = join(folder, 'cut.json');
    if (content !== null) writeFileSync(path, content);
    expect(() => counted(path)).toThrow();
    expect(summaryOf(path, 'check false')).toMatch(/== failures\nthe results of the tests cannot be read: .*\nFAILED: false\n$/);
  });
});
