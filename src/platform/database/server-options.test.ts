import { expect, it } from 'vitest';
import { parseServerOptions } from './server-options.ts';

it.each([
  ['nothing', '', {}, ''],
  ['a setting', '-c statement_timeout=7s', { statement_timeout: '7s' }, ''],
  ['several, in every way to write them', ' -cwork_mem=1MB --lock-timeout=5s\t-c app.tag=a=b ', { work_mem: '1MB', lock_timeout: '5s', 'app.tag': 'a=b' }, ''],
  ['blanks and backslashes in a value', String.raw`-c a.b=one\ two\\three -c geqo=off`, { 'a.b': String.raw`one two\three`, geqo: 'off' }, ''],
  ['an empty value', '-c temp_tablespaces=', { temp_tablespaces: '' }, ''],
  ['the same setting twice: the last', '-c geqo=on -c geqo=off', { geqo: 'off' }, ''],
  ['what is no setting', '-e -c geqo=off -d 5', { geqo: 'off' }, '-e -d 5'],
  ['a switch without its setting', '-c', {}, '-c'],
])('reads %s', (_what, options, values, rest) => {
  expect(parseServerOptions(options)).toEqual({ values, rest });
});
