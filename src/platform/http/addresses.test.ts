import { spawn, spawnSync } from 'node:child_process';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import fastify from 'fastify';
import { openableUrl, urlsFromOutside } from './addresses.ts';
import { listen } from './listen.ts';
import type { Server } from './build-server.ts';

it.each([
  ['0.0.0.0', 'http://127.0.0.1:80'],
  ['::', 'http://[::1]:80'],
  ['::1', 'http://[::1]:80'],
  ['127.0.0.2', 'http://127.0.0.2:80'],
  ['2001:db8::1', 'http://[2001:db8::1]:80'],
  ['fe80::1%eth0', 'http://[fe80::1%25eth0]:80'],
  ['localhost', 'http://localhost:80'],
])('of a server that listens on %s, %s can be opened', (host, url) => {
  expect(openableUrl(host, 80)).toBe(url);
});

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

// `0` and `::0` are other spellings of every address. A machine without IPv6 has nothing to listen on but the first two.
it.each(['127.0.0.1', '0.0.0.0', '0', 'localhost', ...(hasIpv6 ? ['::', '::1', '::0', '0:0:0:0:0:0:0:1'] : [])])('what is said of a server that listens on %s opens', async (host) => {
  const server = fastify() as unknown as Server;
  onTestFinished(() => server.close());
  server.get('/', async () => 'here');
  const { url } = await listen(server, { host, port: 0 });
  expect(await (await fetch(url)).text()).toBe('here');
});

const [card, zoned] = Object.entries(networkInterfaces()).flatMap(([name, all]) => (all ?? []).filter(({ address }) => address.startsWith('fe80:')).map(({ address }) => [name, address] as const))[0] ?? [];
const hasCurl = spawnSync('curl', ['--version']).status === 0;

// Needs a network card with IPv6, and the client that takes a zone in a URL.
it.skipIf(zoned === undefined || !hasCurl)('what is said of a server that listens on an address with a zone opens with curl', async () => {
  const server = fastify() as unknown as Server;
  onTestFinished(() => server.close());
  server.get('/', async () => 'here');
  const { url } = await listen(server, { host: `${zoned}%${card}`, port: 0 });
  const curl = spawn('curl', ['--silent', '--noproxy', '*', url]);
  expect(await text(curl.stdout)).toBe('here');
});

it('other machines reach a server on every address by what is neither loopback nor local to a link', () => {
  const cardWith = (address: string, family: 'IPv4' | 'IPv6', internal = false): NetworkInterfaceInfo => ({ address, family, internal, netmask: '', mac: '', cidr: null, ...(family === 'IPv6' ? { scopeid: 0 } : {}) }) as NetworkInterfaceInfo;
  const cards = { lo: [cardWith('127.0.0.1', 'IPv4', true), cardWith('::1', 'IPv6', true)], eth0: [cardWith('192.0.2.7', 'IPv4'), cardWith('2001:db8::7', 'IPv6'), cardWith('fe80::7', 'IPv6')], off: undefined };
  expect(urlsFromOutside('0.0.0.0', 8081, cards)).toEqual(['http://192.0.2.7:8081']);
  expect(urlsFromOutside('::', 8081, cards)).toEqual(['http://192.0.2.7:8081', 'http://[2001:db8::7]:8081']);
});
