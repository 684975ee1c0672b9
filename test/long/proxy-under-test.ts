import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { freshPath } from '../harness/services.ts';
import { until } from '../harness/until.ts';
import { findProxyProgram, LIBRARIES } from './proxy-programs.ts';

/** The configurations of `deploy`, as they are but for ports, the folder of the certificate, and one network that counts as inside. */
export const PROVIDERS_HOST = 'pay.example.com';
export const INSIDE_HOST = 'inside.pay.example.com';
export const INSIDE_ADDRESS = '127.9.0.1';
export const OTHER_INSIDE_ADDRESS = '127.9.0.2';
export const OUTSIDE_ADDRESS = '127.0.0.9';

const DEPLOY = resolve(import.meta.dirname, '../../deploy');
const WITHIN_MS = 20_000;

interface Kind {
  readonly file: string;
  readonly program: string;
  /** What stands around the file, or is changed in it, so that it runs in a folder of the test's. */
  around(site: string, folder: string, port: number): string;
  args(config: string, folder: string): readonly string[];
}

const isRoot = process.getuid?.() === 0;

export const KINDS: Readonly<Record<string, Kind>> = {
  nginx: {
    file: 'nginx.conf',
    program: 'nginx',
    around: (site, folder, port) =>
      `daemon off; pid ${folder}/pid; error_log stderr; ${isRoot ? 'user root;' : ''}\nevents {}\nhttp { access_log off;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}\n${site.replaceAll('listen 443', `listen ${port}`)}\n}`,
    args: (config, folder) => ['-c', config, '-p', folder],
  },
  haproxy: {
    file: 'haproxy.cfg',
    program: 'haproxy',
    around: (site, _folder, port) => site.replace('bind :443', `bind :${port}`),
    args: (config) => ['-db', '-f', config],
  },
  httpd: {
    file: 'httpd.conf',
    program: 'apache2',
    around: (site, folder, port) => {
      const modules = join(LIBRARIES, '../apache2/modules');
      const loaded = ['mpm_event', 'authz_core', 'authz_host', 'socache_shmcb', 'ssl', 'proxy', 'proxy_http', 'headers', 'reqtimeout'].map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`);
      return [`ServerRoot ${folder}`, `DefaultRuntimeDir ${folder}`, `PidFile ${folder}/pid`, 'ServerName test', `ErrorLog ${folder}/error.log`, 'LogLevel error', ...(isRoot ? ['User nobody', 'Group nogroup'] : []), ...loaded, `Listen ${port}`, site.replaceAll('*:443', `*:${port}`)].join('\n');
    },
    args: (config) => ['-X', '-f', config],
  },
  caddy: {
    file: 'Caddyfile',
    program: 'caddy',
    around: (site, _folder, port) => site.replace('{\n', `{\n\tadmin off\n\thttps_port ${port}\n\thttp_port ${port + 1}\n`),
    args: (config) => ['run', '--adapter', 'caddyfile', '--config', config],
  },
};

export interface ProxyUnderTest {
  readonly port: number;
  readonly upstream: Upstream;
  stop(): Promise<void>;
}

export function hasProgram(name: string): boolean {
  return findProxyProgram(KINDS[name]?.program ?? '') !== null;
}

export async function startProxy(name: string, target: number): Promise<ProxyUnderTest> {
  const kind = KINDS[name] as Kind;
  const folder = freshPath();
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  makeCertificate(folder);
  const upstream = await openUpstream(target);
  const port = await freePort();
  const site = readFileSync(join(DEPLOY, kind.file), 'utf8').replaceAll('/etc/ssl/paynotify/', `${folder}/`).replaceAll('127.0.0.1:8080', `127.0.0.1:${upstream.port}`).replaceAll('10.0.0.0/8', '127.9.0.0/16');
  const config = join(folder, kind.file);
  writeFileSync(config, kind.around(site, folder, port));
  const child = spawn(findProxyProgram(kind.program) ?? '', kind.args(config, folder), { env: { PATH: process.env.PATH, LD_LIBRARY_PATH: LIBRARIES, HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    await upstream.close();
    rmSync(folder, { recursive: true, force: true });
  };
  await until(`${name} to listen`, WITHIN_MS, async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${output}`);
    return isListening(port);
  });
  return { port, upstream, stop };
}

/** The way to paynotify, which a test can take away. */
export interface Upstream {
  readonly port: number;
  /** `pass` to paynotify; `refuse` as if nothing listened; `swallow` a request and close without an answer. */
  become(mode: 'pass' | 'refuse' | 'swallow'): Promise<void>;
  /** Connections on which something came while swallowing. */
  swallowed(): number;
  close(): Promise<void>;
}

async function openUpstream(target: number): Promise<Upstream> {
  const sockets = new Set<Socket>();
  let mode: 'pass' | 'swallow' = 'pass';
  let swallowed = 0;
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    if (mode === 'swallow') {
      socket.once('data', () => {
        swallowed++;
        socket.destroy();
      });
      return;
    }
    const onward = connect(target, '127.0.0.1');
    // What was answered before is still passed on: the pipe ends the other side when it has.
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  };
  let server = await listenOn(0, accept);
  const { port } = server.address() as AddressInfo;
  const shut = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return {
    port,
    swallowed: () => swallowed,
    async become(wanted) {
      await shut();
      swallowed = 0;
      if (wanted === 'refuse') return;
      mode = wanted;
      server = await listenOn(port, accept);
    },
    close: shut,
  };
}

async function listenOn(port: number, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer(accept).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function freePort(): Promise<number> {
  const server = await listenOn(0, () => undefined);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isListening(port: number): Promise<true | null> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

function makeCertificate(folder: string): void {
  const names = [PROVIDERS_HOST, INSIDE_HOST].map((name) => `DNS:${name}`).join(',');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${PROVIDERS_HOST}`, '-addext', `subjectAltName=${names}`, '-keyout', join(folder, 'privkey.pem'), '-out', join(folder, 'fullchain.pem')], { stdio: 'ignore' });
  writeFileSync(join(folder, 'haproxy.pem'), readFileSync(join(folder, 'fullchain.pem'), 'utf8') + readFileSync(join(folder, 'privkey.pem'), 'utf8'));
}

export interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Of the request; the name of the connection (SNI) is the same unless `servername` says otherwise. */
  readonly host?: string;
  readonly servername?: string;
  readonly from?: string;
}

export interface Answer {
  /** 0 when the connection was refused or ended. */
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The path goes out as it stands, which `fetch` would not do. */
export async function ask(port: number, { path, method = 'POST', headers = {}, body, host = PROVIDERS_HOST, servername = host, from = OUTSIDE_ADDRESS }: Asked): Promise<Answer> {
  const { promise, resolve: answer } = Promise.withResolvers<Answer>();
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const asked = request({ host: '127.0.0.1', port, path, method, servername, localAddress: from, rejectUnauthorized: false, agent: false, headers: { host, ...headers, ...length } }, (response) => {
    let text = '';
    response.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    response.on('end', () => answer({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }));
    response.on('error', () => answer({ status: 0, type: '', text }));
  });
  asked.on('error', () => answer({ status: 0, type: '', text: '' }));
  asked.end(body);
  return promise;
}
