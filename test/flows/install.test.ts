import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

/**
 * What a person is told when the dependencies cannot be installed, and that npm's own configuration is obeyed: the real
 * npm of this machine, in a folder with the files that it reads. Certain: which server npm asks and what is shown then.
 * That an installation succeeds is shown by the check of a submission, with several versions of npm.
 */
const ROOT = resolve(import.meta.dirname, '../..');
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A clone that has nothing installed. `name` is that of its folder. */
function clone(name = 'clone'): string {
  const folder = mkdtempSync(join(tmpdir(), 'paynotify-install-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, name);
  mkdirSync(root);
  for (const path of ['package.json', 'package-lock.json', 'scripts']) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  return root;
}

/** @returns what the installation printed; it is expected to fail. */
async function failedInstallation(root: string, npmrc: readonly string[]): Promise<string> {
  const [home, userconfig] = [join(root, '../home'), join(root, '../npmrc')];
  mkdirSync(home, { recursive: true });
  writeFileSync(userconfig, [...npmrc, 'fetch-retries=0', ''].join('\n'));
  const environment = { PATH: process.env.PATH, HOME: home, npm_config_userconfig: userconfig, npm_config_globalconfig: join(home, 'none') };
  const child = spawn(process.execPath, ['scripts/install.mjs', '--no-services'], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect(code, output).toBe(1);
  return output;
}

async function server(listener: RequestListener): Promise<{ readonly port: number; readonly requests: readonly IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const http = createServer((request, response) => {
    requests.push(request);
    void listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  cleanUps.push(() => http.closeAllConnections(), () => http.close());
  return { port: (http.address() as AddressInfo).port, requests };
}

const NETWORK_CURE = /npm could not reach the package registry/;

describe('an installation that fails', () => {
  it('shows the beginning of npm\'s own error, and the cure for a network that npm complains of', async () => {
    const output = await failedInstallation(clone(), ['registry=http://127.0.0.1:1/']);
    expect(output).toMatch(/npm ci .*\n\n {4}code ECONNREFUSED\n/);
    expect(output).toMatch(NETWORK_CURE);
    expect(output).not.toMatch(/complete log|Usage:/);
  });

  it('gives no cure where npm names another cause, and shows that cause and not how npm is used', async () => {
    const root = clone();
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> };
    writeFileSync(join(root, 'package.json'), JSON.stringify({ ...manifest, devDependencies: { ...manifest.devDependencies, 'alipay-sdk': '0.0.1' } }));
    const npmServer = await server((_request, response) => response.end(JSON.stringify({ name: 'alipay-sdk', 'dist-tags': { latest: '0.0.1' }, versions: { '0.0.1': { name: 'alipay-sdk', version: '0.0.1', dist: {} } } })));
    const output = await failedInstallation(root, [`registry=http://127.0.0.1:${npmServer.port}/`]);
    expect(output).toMatch(/code EUSAGE\n {4}`npm ci` can only install packages when .* in sync[^]*Invalid: lock file's alipay-sdk@/);
    expect(output).not.toMatch(/Usage:|Options:|could not reach|must be writable|Make room/);
  });

  it('asks the registry of npm\'s configuration, with its token, and says when that one refuses', async () => {
    const npmServer = await server((_request, response) => response.writeHead(401).end('{}'));
    const output = await failedInstallation(clone(), [`registry=http://127.0.0.1:${npmServer.port}/npm/`, `//127.0.0.1:${npmServer.port}/npm/:_authToken=token-of-the-test`]);
    expect(npmServer.requests.every(({ url, headers }) => url?.startsWith('/npm/') === true && headers.authorization === 'Bearer token-of-the-test')).toBe(true);
    expect(npmServer.requests.length).toBeGreaterThan(0);
    expect(output).toMatch(/code E401\n[^]*wants other credentials/);
  });

  it('goes through the proxy of npm\'s configuration', async () => {
    const proxy = await server((_request, response) => response.writeHead(503).end('{}'));
    const output = await failedInstallation(clone(), ['registry=http://packages.invalid/', `proxy=http://127.0.0.1:${proxy.port}/`]);
    expect(proxy.requests.map(({ url }) => url).every((url) => url?.startsWith('http://packages.invalid/'))).toBe(true);
    expect(proxy.requests.length).toBeGreaterThan(0);
    expect(output).toMatch(/code E503\n/);
  });

  it('is what npm calls a success without a package for this platform, which is optional for the sake of the others', async () => {
    const root = clone();
    const [name, version] = [`node-${process.platform}-${process.arch}`, '24.0.0'];
    const packages = { '': { optionalDependencies: { [name]: version } }, [`node_modules/${name}`]: { version, optional: true } };
    writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'x', optionalDependencies: { [name]: version } }));
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ name: 'x', lockfileVersion: 3, requires: true, packages }));
    const npmServer = await server((_request, response) => response.writeHead(500).end('{}'));
    const output = await failedInstallation(root, [`registry=http://127.0.0.1:${npmServer.port}/`]);
    expect(npmServer.requests.length).toBeGreaterThan(0);
    expect(output).toContain(`npm has left out ${name} without a word`);
  });

  it.each([':', '"', '$', '`', '*'])('names the %s in the path of the clone, before it installs anything', async (letter) => {
    const output = await failedInstallation(clone(`a${letter}b`), ['registry=http://127.0.0.1:1/']);
    expect(output).toContain(`the path of this folder contains ${letter}, `);
    expect(output).not.toContain('installing');
  });
});

describe('what npm says', () => {
  const place = '../../scripts/install/npm.mjs';
  const load = async () => (await import(place)) as { complaintOf(output: string): string[]; cureFor(complaint: readonly string[]): string };
  const OF_NPM_9 = ['npm WARN EBADENGINE x', 'npm ERR! code ENOSPC', 'npm ERR! syscall write', 'npm ERR! errno -28', 'npm ERR! nospc ENOSPC: no space left on device, write', '', 'npm ERR! A complete log of this run can be found in:', 'npm ERR!     /var/log/x.log'].join('\n');

  it('is read in the words of npm 9, too, without warnings', async () => {
    const { complaintOf, cureFor } = await load();
    expect(complaintOf(OF_NPM_9).slice(0, 4)).toEqual(['code ENOSPC', 'syscall write', 'errno -28', 'nospc ENOSPC: no space left on device, write']);
    expect(cureFor(complaintOf(OF_NPM_9))).toMatch(/^Make room/);
  });

  it.each([
    ['code EAI_AGAIN', /could not reach the package registry/],
    ['code UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /cafile/],
    ['code E407', /other credentials/],
    ['code E404', /does not offer this package/],
    ['code ETARGET\nnotarget No matching version found for a@1.0.0 with a date before 1/1/2020', /min-release-age/],
    ['code EROFS', /must be writable/],
    ['code EINTEGRITY', /package-lock\.json/],
    ['code EBADENGINE', /^$/],
    ['Exit handler never called!', /^$/],
    ['code EUSAGE\nMissing: ENOSPC@1.0.0 from lock file', /^$/],
  ])('leads to the cure of what it names and of nothing else: %j', async (complaint, cure) => {
    const { cureFor } = await load();
    expect(cureFor(complaint.split('\n'))).toMatch(cure);
  });
});
