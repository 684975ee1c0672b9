import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { readRelease, refusesForeignData, setDataAside, writeRelease } from './rabbitmq-folder.ts';

const [NEW, OLD] = ['rabbitmq_server-4.0.5 erts-15.2.7', 'rabbitmq_server-3.10.8 erts-13.1.5'];

it.each([
  // Data of before this was recorded: only the broker's own words tell.
  [true, null, '[error] <0.234.0> Feature flags: `stream_queue`: required feature flag not enabled! It must be enabled before upgrading RabbitMQ.'],
  [true, null, 'Failed to initialize feature flags registry: {disabled_mandatory_feature_flag,implicit_default_bindings}'],
  [true, null, 'Error during startup: {error,failed_to_initialize_feature_flags_registry}'],
  [true, null, 'Error during startup: {error,{schema_integrity_check_failed,[{table_attributes_mismatch,rabbit_vhost,[a],[b]}]}}'],
  [false, null, 'error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}'],
  // Recorded: whatever the words, unless they blame something else.
  [true, OLD, 'error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}'],
  [false, NEW, 'error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}'],
  [false, OLD, 'ERROR: could not bind to distribution port 25672, it is in use by another node: rabbit@host'],
  [false, OLD, 'Failed to create dirty: no space left on device'],
  [false, OLD, 'Failed to start Ranch listener in ranch_tcp:listen for reason eaddrinuse (address already in use)'],
  [false, OLD, 'paynotify-guardian: 5: /usr/lib/rabbitmq/bin/rabbitmq-server: not found'],
])('takes it for a refusal of another release\'s data: %s, written by %s, %s', (refuses, wrote, output) => {
  expect(refusesForeignData(output, { wrote, installed: NEW })).toBe(refuses);
});

it('keeps the last two that were set aside, and forgets who wrote them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rabbitmq-folder-'));
  const warn = vi.fn();
  try {
    for (let second = 0; second < 4; second++) {
      mkdirSync(join(folder, 'mnesia'));
      writeRelease(folder, OLD);
      setDataAside(folder, 'Error during startup: {error,x}', { ...silentLogger, warn } as never, new Date(Date.UTC(2026, 0, 1, 0, 0, second)));
    }
    expect(readdirSync(folder)).toEqual(['mnesia.set-aside-20260101T000002Z', 'mnesia.set-aside-20260101T000003Z']);
    expect([readRelease(folder), existsSync(join(folder, 'mnesia'))]).toEqual([null, false]);
    expect(warn.mock.calls[0]).toMatchObject([{ event: 'rabbitmq.data-set-aside', wrote: OLD, cause: 'Error during startup: {error,x}' }, expect.stringContaining('kept as mnesia.set-aside-20260101T000000Z')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
