import { expect, it } from 'vitest';
import { causeOfEnd } from './cause-of-end.ts';

/** Real output, shortened where many lines are alike. */
it.each([
  [
    'RabbitMQ 4.0 on the data of 3.10',
    `2026-02-11 09:16:20.673611+02:00 [error] <0.234.0> Feature flags: \`stream_queue\`: required feature flag not enabled! It must be enabled before upgrading RabbitMQ.
2026-02-11 09:16:20.677879+02:00 [error] <0.234.0> Failed to initialize feature flags registry: {disabled_required_feature_flag,
2026-02-11 09:16:20.677879+02:00 [error] <0.234.0>                                               stream_queue}

BOOT FAILED
===========
Error during startup: {error,failed_to_initialize_feature_flags_registry}

2026-02-11 09:16:20.681441+02:00 [error] <0.234.0> BOOT FAILED
${'{exit,terminating,[{application_controller,call,2,[{file,"application_controller.erl"},{line,511}]}\n'.repeat(30)}`,
    'Feature flags: `stream_queue`: required feature flag not enabled! It must be enabled before upgrading RabbitMQ.',
  ],
  [
    'RabbitMQ 3.10 on a damaged schema',
    `2026-12-01 01:33:46.955727+00:00 [info] <0.223.0> Feature flags: feature flag states written to disk: yes

BOOT FAILED
===========
Exception during startup:

error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}

    rabbit_mnesia:start_mnesia/1, line 945
{"init terminating in do_boot",{error,{rabbit,{...}}}}
Crash dump is being written to: /data/log/erl_crash.dump...done`,
    'Exception during startup: error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}',
  ],
  [
    'RabbitMQ whose log and output are written between each other',
    `
BOOT FAILED
===========
Exception during startup:
2026-12-01 05:56:01.120+00:00 [error] <0.223.0>
2026-12-01 05:56:01.120+00:00 [error] <0.223.0> BOOT FAILED
2026-12-01 05:56:01.120+00:00 [error] <0.223.0> ===========
2026-12-01 05:56:01.120+00:00 [error] <0.223.0> Exception during startup:
2026-12-01 05:56:01.120+00:00 [error] <0.223.0>

error:{feature_flags_file_read_error,{error,bad_term}}`,
    'Exception during startup: error:{feature_flags_file_read_error,{error,bad_term}}',
  ],
  [
    'PostgreSQL with a setting that it does not know',
    `2026-12-01 01:33:46.955 UTC [412] LOG:  unrecognized configuration parameter "no_such_setting" in file "/data/postgresql.conf" line 1
2026-12-01 01:33:46.955 UTC [412] FATAL:  configuration file "/data/postgresql.conf" contains errors`,
    'LOG:  unrecognized configuration parameter "no_such_setting" in file "/data/postgresql.conf" line 1',
  ],
  [
    'PostgreSQL on a port that is taken',
    `2026-12-01 01:33:46.955 UTC [412] LOG:  starting PostgreSQL 17.5 on x86_64-pc-linux-gnu
2026-12-01 01:33:46.956 UTC [412] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use
2026-12-01 01:33:46.956 UTC [412] HINT:  Is another postmaster already running on port 5432? If not, wait a few seconds and retry.
2026-12-01 01:33:46.956 UTC [412] WARNING:  could not create listen socket for "127.0.0.1"
2026-12-01 01:33:46.956 UTC [412] FATAL:  could not create any TCP/IP sockets
2026-12-01 01:33:46.957 UTC [412] LOG:  database system is shut down`,
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
  ],
  [
    'PostgreSQL on the data of another major version',
    `2026-12-01 01:33:46.955 UTC [412] FATAL:  database files are incompatible with server
2026-12-01 01:33:46.955 UTC [412] DETAIL:  The data directory was initialized by PostgreSQL version 16, which is not compatible with this version 17.5.`,
    'FATAL:  database files are incompatible with server (The data directory was initialized by PostgreSQL version 16, which is not compatible with this version 17.5.)',
  ],
  ['a program that is not there', 'paynotify-guardian: 5: /opt/postgres: not found\n', 'paynotify-guardian: 5: /opt/postgres: not found'],
  ['output without any known word', 'one\ntwo\n\n', 'two'],
  ['no output', '', ''],
])('names the cause: %s', (_, output, cause) => {
  expect(causeOfEnd(output)).toBe(cause);
});

it('reads a mebibyte of hostile output in no time', () => {
  const startedAtMs = performance.now();
  const line = `${'feature flag '.repeat(70)}\n`;
  for (const text of [line.repeat(1_000), '2026-12-01 '.repeat(95_000), `parameter "${'"'.repeat(1_000_000)}`, `[error] <${'0.'.repeat(500_000)}`, 'feature flag '.repeat(80_000)]) causeOfEnd(text);
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
});
