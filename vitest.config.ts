import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';

/** A test that needs a running service may wait for the broker's first start, which alone takes 10 s of processor time. */
const SYSTEM_TEST_TIMEOUT_MS = 60_000;

/** Starting or ending a whole installation with servers of its own: seconds, but on a machine that does much else minutes. */
const SYSTEM_HOOK_TIMEOUT_MS = 120_000;

/** Pure computation, but thousands of cases: on a busy machine a second of it takes many. */
const UNIT_TEST_TIMEOUT_MS = 30_000;

/** Tests of the repository itself: they read files and need no service. */
const REPOSITORY_TESTS = ['test/tidy.test.ts', 'test/image.test.ts', 'test/service-unit.test.ts', 'test/ci-summary.test.ts', 'test/deploy.test.ts'];

// Tests make their files there, also where TMPDIR names a folder that does not exist.
if (!existsSync(tmpdir())) process.env.TMPDIR = '/tmp';

export default defineConfig({
  test: {
    pool: 'forks',
    // Each worker drives servers that want a core of their own; more workers only make time limits fail.
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: '.data/test-results.json' }]],
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts', ...REPOSITORY_TESTS], testTimeout: UNIT_TEST_TIMEOUT_MS } },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...REPOSITORY_TESTS, 'test/long/**'],
          globalSetup: ['test/harness/services-host.ts'],
          testTimeout: SYSTEM_TEST_TIMEOUT_MS,
          hookTimeout: SYSTEM_HOOK_TIMEOUT_MS,
        },
      },
    ],
  },
});
