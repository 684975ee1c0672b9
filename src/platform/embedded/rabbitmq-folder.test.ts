import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { formerFolder, readRelease, refusesForeignData, setDataAside, writeRelease } from './rabbitmq-folder.ts';

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
      setDataAside(folder, 'it is of another release', { ...silentLogger, warn } as never, new Date(Date.UTC(2026, 0, 1, 0, 0, second)));
    }
    expect(readdirSync(folder)).toEqual(['mnesia.set-aside-20260101T000002Z', 'mnesia.set-aside-20260101T000003Z']);
    expect([readRelease(folder), existsSync(join(folder, 'mnesia'))]).toEqual([null, false]);
    expect(warn.mock.calls[0]).toMatchObject([{ event: 'rabbitmq.data-set-aside', wrote: OLD, cause: 'it is of another release' }, expect.stringContaining('kept as mnesia.set-aside-20260101T000000Z')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('tells data whose queues were written for another folder, also where Erlang breaks its name into pieces', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rabbitmq-folder-'));
  const below = 'mnesia/paynotify@localhost/quorum/paynotify@localhost';
  const written = (place: string): string | null => {
    writeFileSync(join(folder, below, '2F_QUEUE/config'), `#{tick_timeout => 5000,\n  system_config =>\n      #{data_dir =>\n            ${place},\n        name => quorum_queues,wal_data_dir => ${place}}}.`);
    return formerFolder(folder);
  };
  try {
    expect(formerFolder(folder)).toBeNull();
    mkdirSync(join(folder, below, '2F_QUEUE'), { recursive: true });
    expect(written(`"${folder}/${below}"`)).toBeNull();
    expect(written(`"${folder.slice(0, 9)}"\n            "${folder.slice(9)}/${below}"`)).toBeNull();
    expect(written(`"${below}"`)).toBeNull();
    // Letters that Erlang writes as numbers or in another way: it does not tell.
    for (const place of ['[47,115,25903,47]', String.raw`"/srv/a\"b/${below}"`, `"/srv/ä/${below}"`]) expect(written(place)).toBeNull();
    expect(written(`"/srv/old place/rabbitmq/${below}"`)).toBe('/srv/old place/rabbitmq');
    expect(written(`"/srv/old"\n            "/rabbitmq/${below}"`)).toBe('/srv/old/rabbitmq');
    expect(written(`"${folder}2/${below}"`)).toBe(`${folder}2`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
