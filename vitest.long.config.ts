import { defineConfig } from 'vitest/config';

/** These run for minutes by design. The tests of vitest.config.ts do the same for some seconds, by the very same code. */
const LONG_TEST_TIMEOUT_MS = 20 * 60_000;

export default defineConfig({
  test: {
    pool: 'forks',
    // One at a time: each loads its servers as much as the machine gives.
    maxWorkers: 1,
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          globalSetup: ['test/harness/services-host.ts'],
          testTimeout: LONG_TEST_TIMEOUT_MS,
          hookTimeout: LONG_TEST_TIMEOUT_MS,
        },
      },
    ],
  },
});
