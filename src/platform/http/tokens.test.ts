import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTokenCheck, hashToken } from './token-check.ts';
import { loadOrCreateTokens, readGeneratedTokens } from './tokens.ts';

const UNSET = { adminTokens: null, serviceTokens: null };
let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'paynotify-tokens-'))));
afterEach(() => rm(directory, { recursive: true }));

test('tokens are generated once, kept with mode 600, and new only once; each kind opens its own doors', async () => {
  const first = await loadOrCreateTokens(directory, UNSET);
  const again = await loadOrCreateTokens(directory, UNSET);
  expect(again).toEqual({ ...first, areNew: false });
  expect(first.areNew).toBe(true);
  expect(await readGeneratedTokens(directory, UNSET)).toEqual(first.generated);
  expect((await stat(join(directory, 'tokens.json'))).mode & 0o777).toBe(0o600);
  const check = createTokenCheck(first.hashes);
  expect(check(first.generated.admin?.['operator'] as string)).toEqual({ kind: 'admin', name: 'operator' });
  expect(check(first.generated.service?.['shop'] as string)).toEqual({ kind: 'service', name: 'shop' });
  expect(check(`${first.generated.admin?.['operator']}x`)).toBeNull();
  expect(await readdir(directory)).toEqual(['tokens.json']);
});

test('two processes that start at once agree on the tokens', async () => {
  const loaded = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateTokens(directory, UNSET)));
  expect(new Set(loaded.map(({ generated }) => generated.admin?.['operator'])).size).toBe(1);
  expect(await readdir(directory)).toEqual(['tokens.json']);
});

test('tokens of the environment are known by hash alone and nothing is written for them', async () => {
  const adminTokens = new Map([['alice', hashToken('secret')]]);
  const both = await loadOrCreateTokens(directory, { adminTokens, serviceTokens: adminTokens });
  expect(both).toMatchObject({ generated: { admin: null, service: null }, areNew: false });
  expect(await readGeneratedTokens(directory, { adminTokens, serviceTokens: adminTokens })).toEqual({ admin: null, service: null });
  expect(await readdir(directory)).toEqual([]);
  const one = await loadOrCreateTokens(directory, { adminTokens, serviceTokens: null });
  expect(one.generated).toEqual({ admin: null, service: { shop: expect.stringMatching(/^paynotify_service_/) as string } });
  expect(await readGeneratedTokens(directory, { adminTokens, serviceTokens: null })).toEqual(one.generated);
  expect(createTokenCheck(one.hashes)('secret')).toEqual({ kind: 'admin', name: 'alice' });
});

test('whoever asks before the first start gets none, and none are made', async () => {
  expect(await readGeneratedTokens(directory, UNSET)).toBeNull();
  expect(await readdir(directory)).toEqual([]);
});

test('a file readable by others is closed to them', async () => {
  await loadOrCreateTokens(directory, UNSET);
  await chmod(join(directory, 'tokens.json'), 0o644);
  await loadOrCreateTokens(directory, UNSET);
  expect((await stat(join(directory, 'tokens.json'))).mode & 0o777).toBe(0o600);
});

test.each(['', '{', '[]', '{"admin":{"operator":""},"service":{}}'])('a damaged file (%j) stops the start and is left as it is', async (text) => {
  await writeFile(join(directory, 'tokens.json'), text);
  await expect(loadOrCreateTokens(directory, UNSET)).rejects.toMatchObject({ code: 'config-invalid' });
  await expect(readGeneratedTokens(directory, UNSET)).rejects.toMatchObject({ code: 'config-invalid' });
  expect(await readFile(join(directory, 'tokens.json'), 'utf8')).toBe(text);
});
