import { expect, it } from 'vitest';
import { judgeSession, type SessionFacts } from './judge-session.ts';

const REQUIRED = { TimeZone: 'UTC', search_path: '"public"' };
const FIT: SessionFacts = {
  database: 'pay"db', role: 'app', versionNumber: 150_000, version: '15.0', encoding: 'UTF8', isStandby: false, isReadOnly: false, readOnlySource: 'default', settings: REQUIRED,
};

it('has nothing against a session that is as it must be', () => {
  expect(judgeSession(FIT, REQUIRED)).toBeNull();
});

it.each([
  ['a server that is too old', { versionNumber: 149_999, version: '14.13 (Debian)' }, 'version', /PostgreSQL 14\.13 \(Debian\), and 15 or newer is needed/],
  ['a database of one part of the world', { encoding: 'LATIN1' }, 'encoding', /encoding LATIN1.*CREATE DATABASE "pay""db_utf8" ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;$/],
  ['a database that looks at no encoding', { encoding: 'SQL_ASCII' }, 'encoding', /encoding SQL_ASCII/],
  ['a standby, which is read-only as well', { isStandby: true, isReadOnly: true }, 'standby', /read-only standby: name the primary/],
  ['what a database makes read-only', { isReadOnly: true, readOnlySource: 'database' }, 'read-only', /ALTER DATABASE "pay""db" RESET default_transaction_read_only;$/],
  ['what a role makes read-only', { isReadOnly: true, readOnlySource: 'user' }, 'read-only', /ALTER ROLE "app" RESET/],
  ['what a role makes read-only in one database', { isReadOnly: true, readOnlySource: 'database user' }, 'read-only', /ALTER ROLE "app" IN DATABASE "pay""db" RESET/],
  ['what a server makes read-only', { isReadOnly: true, readOnlySource: 'configuration file' }, 'read-only', /default_transaction_read_only = off, in the server's configuration/],
  ['a setting that did not stay', { settings: { ...REQUIRED, TimeZone: 'Asia/Shanghai' } }, 'pooler', /TimeZone was set to UTC and is Asia\/Shanghai.*pool_mode=session/],
] as const)('refuses %s with the cure, in one line', (_what, change, kind, words) => {
  const refusal = judgeSession({ ...FIT, ...change }, REQUIRED);
  expect(refusal).toMatchObject({ kind, message: expect.stringMatching(words) });
  expect(refusal?.message).not.toContain('\n');
});
