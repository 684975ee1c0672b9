import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { carryOut } from './command.ts';
import { loadOrCreateTokens } from './platform/http/tokens.ts';

const HASH = 'a'.repeat(64);
const UNSET = { adminTokens: null, serviceTokens: null };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'paynotify-command-'));
  onTestFinished(() => rm(directory, { recursive: true }));
});

async function printed(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const lines: string[] = [];
  await carryOut(args, { PAYNOTIFY_DATA: directory, ...environment }, (line) => void lines.push(line));
  return lines.join('\n');
}

describe('tokens', () => {
  it('shows those of the data directory by name, and leaves everything there as it is', async () => {
    const { generated } = await loadOrCreateTokens(directory, UNSET);
    expect(await printed(['tokens'])).toBe(`service token (shop): ${generated.service?.['shop']}\nadmin token (operator): ${generated.admin?.['operator']}`);
    expect(await readdir(directory)).toEqual(['tokens.json']);
  });

  it('never shows what the environment gives, not even its name or hash', async () => {
    const { generated } = await loadOrCreateTokens(directory, UNSET);
    const one = await printed(['tokens'], { PAYNOTIFY_ADMIN_TOKENS: `alice:${HASH}` });
    expect(one).toBe(`service token (shop): ${generated.service?.['shop']}\nadmin token: as configured in PAYNOTIFY_ADMIN_TOKENS, of which only the hash is known`);
    const both = await printed(['tokens'], { PAYNOTIFY_ADMIN_TOKENS: `alice:${HASH}`, PAYNOTIFY_SERVICE_TOKENS: `alice:${HASH}` });
    expect(both).not.toMatch(/alice|aaaa|paynotify_/);
  });

  it('needs nothing of the environment but what is about tokens', async () => {
    await loadOrCreateTokens(directory, UNSET);
    for (const environment of [{ PAYNOTIFY_EMBEDDED: 'none' }, { DATABASE_URL: 'nonsense', LOG_LEVEL: 'loud' }]) expect(await printed(['tokens'], environment)).toContain('paynotify_admin_');
    await expect(printed(['tokens'], { PAYNOTIFY_ADMIN_TOKENS: 'hunter2' })).rejects.toThrow(/^PAYNOTIFY_ADMIN_TOKENS must be (?!.*hunter2)/);
  });

  it('makes none before the first start, and says what to do', async () => {
    await expect(printed(['tokens'])).rejects.toThrow(/There are no tokens in .*: the first start generates them\. .*PAYNOTIFY_DATA/);
    await expect(printed(['tokens'], { PAYNOTIFY_DATA: join(directory, 'missing') })).rejects.toThrow(/There are no tokens/);
    expect(await readdir(directory)).toEqual([]);
  });

  // Nothing is closed to root but by another user, whom only root can become.
  it.skipIf(process.getuid?.() !== 0)('tells another user whom to ask', async () => {
    await loadOrCreateTokens(directory, UNSET);
    await chmod(directory, 0o755);
    const source = `const { readGeneratedTokens } = await import(${JSON.stringify(join(import.meta.dirname, 'platform/http/tokens.ts'))}); process.setuid(65534); await readGeneratedTokens(${JSON.stringify(directory)}, ${JSON.stringify(UNSET)}).catch((error) => console.log(error.message));`;
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' }).stdout).toMatch(/tokens\.json is for its owner alone/);
  });
});

describe('health', () => {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

  // What a container's own health check asks. A machine without IPv6 has only the first two.
  it.each(['127.0.0.1', '0.0.0.0', ...(hasIpv6 ? ['::', '::1'] : [])])('asks the program where it listens, on %s, whether it is alive', async (host) => {
    let status = 200;
    const server = createServer((request, response) => response.writeHead(request.url === '/health/live' ? status : 404).end('{}')).listen(0, host);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const environment = { HOST: host, PORT: String((server.address() as AddressInfo).port) };
    expect(await printed(['health'], environment)).toBe('alive');
    status = 500;
    await expect(printed(['health'], environment)).rejects.toThrow(/answered 500/);
    server.close();
    await expect(printed(['health'], environment)).rejects.toThrow(/Nothing answers on/);
  });
});

it.each([['start'], ['--help'], ['tokens', 'new'], ['toString'], ['']])('what is no command is refused with those that there are: %s %s', async (...args) => {
  await expect(printed(args.filter((arg) => arg !== undefined))).rejects.toThrow(/is no command\. Commands are tokens and health; without one, paynotify is started\.$/);
});
