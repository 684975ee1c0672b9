import { isIP } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/** Listens on every address, so that each of them is right and none is "the" one; this one opens on the machine itself. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Pure. An address that can be opened on this machine for one that is listened on, e.g. `http://[::1]:8080` for `::`. A zone
 * is written as RFC 6874 has it: curl takes that, browsers take no zone at all.
 */
export function openableUrl(host: string, port: number): string {
  const { address, zone } = splitZone(loopbackOf(host));
  return `http://${isIP(address) === 6 ? `[${address}${zone === null ? '' : `%25${zone}`}]` : address}:${port}`;
}

/** Pure. What a client on this machine connects to. */
export function loopbackOf(host: string): string {
  return LOOPBACK_OF[host] ?? host;
}

export function listensEverywhere(host: string): boolean {
  return host in LOOPBACK_OF;
}

/** The addresses by which other machines may reach a server that listens on `host`, which is every address. */
export function urlsFromOutside(host: string, port: number, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): readonly string[] {
  const own = Object.values(interfaces).flatMap((all) => all ?? []);
  // What is local to a link needs a zone, which is another one on each machine.
  const reachable = own.filter(({ internal, address, family }) => !internal && !/^fe80:/i.test(address) && (family === 'IPv4' || host === '::'));
  return reachable.map(({ address }) => openableUrl(address, port));
}

function splitZone(host: string): { readonly address: string; readonly zone: string | null } {
  const [address = '', zone] = isIP(host) === 6 ? host.split('%') : [host];
  return { address, zone: zone ?? null };
}
