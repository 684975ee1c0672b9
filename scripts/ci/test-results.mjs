// What a run of the tests came to, from vitest's own report in JSON. Runs on any Node, with nothing installed.
//   node scripts/ci/test-results.mjs count FILE     "PASSED FAILED"; a file in which nothing could run is one failure
//   node scripts/ci/test-results.mjs failures FILE  each failure with the first lines of its message
//   node scripts/ci/test-results.mjs slowest FILE   the files that took longest, in seconds
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';

// A whole run that is broken must not push everything else out of the last screen.
const FAILURES_MAX = 20;
const MESSAGE_LINES_MAX = 6;
const LINE_CHARACTERS_MAX = 200;
const SLOWEST_MAX = 10;

const [what, path] = process.argv.slice(2);
const results = readResults();
process.stdout.write(what === 'count' ? count() : what === 'failures' ? failures() : slowest());

/** A run that was ended early leaves none, or half of one. */
function readResults() {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // Where numbers are expected, no words.
    if (what !== 'count') console.log(`the results of the tests cannot be read: ${error.message}`);
    process.exit(1);
  }
}

function count() {
  return `${results.numPassedTests} ${results.numFailedTests + brokenFiles().length}\n`;
}

/** Could not be loaded, or failed before or after its tests. */
function brokenFiles() {
  return results.testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'));
}

function failures() {
  const tests = results.testResults.flatMap((file) => file.assertionResults.filter((test) => test.status === 'failed').map((test) => ({ name: `${nameOf(file)} > ${test.fullName}`, messages: test.failureMessages })));
  const files = brokenFiles().map((file) => ({ name: `${nameOf(file)} (the file, not one of its tests)`, messages: [file.message] }));
  const all = [...files, ...tests];
  const lines = all.slice(0, FAILURES_MAX).flatMap(({ name, messages }) => [cut(`FAILED: ${name}`), ...firstLines(messages).map((line) => cut(`    ${line}`))]);
  if (all.length > FAILURES_MAX) lines.push(`and ${all.length - FAILURES_MAX} more`);
  return lines.map((line) => `${line}\n`).join('');
}

function slowest() {
  const files = results.testResults.map((file) => ({ name: nameOf(file), seconds: (file.endTime - file.startTime) / 1000 }));
  const sorted = files.sort((one, other) => other.seconds - one.seconds).slice(0, SLOWEST_MAX);
  return sorted.map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${cut(name)}\n`).join('');
}

function nameOf(file) {
  return relative(process.cwd(), file.name);
}

/** Colours are of no use in a file, and a stack ends where the tests' own code does. */
function firstLines(messages) {
  const lines = messages.join('\n').replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n');
  return lines.filter((line) => line.trim() !== '' && !/^\s*at .*(?:node_modules|node:)/.test(line)).slice(0, MESSAGE_LINES_MAX);
}

function cut(line) {
  return line.length > LINE_CHARACTERS_MAX ? `${line.slice(0, LINE_CHARACTERS_MAX - 1)}…` : line;
}
