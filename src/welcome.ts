import { join } from 'node:path';
import type { Health } from './platform/observe/health.ts';
import { pause } from './platform/process/backoff.ts';
import type { WorkerHealth } from './platform/process/worker.ts';
import { IS_CHECKOUT } from './platform/process/checkout.ts';
import type { App } from './app.ts';
import { readConfig, type Config } from './config.ts';
import { listensEverywhere, loopbackOf, urlsFromOutside } from './platform/http/addresses.ts';
import type { Listening } from './platform/http/listen.ts';
import { SIGNING_KEYS_FILE, type Started } from './start.ts';

/** What a person needs to begin: where it is, how to get in, one thing to try. Shown as soon as webhooks are accepted. */
export function welcome({ app: { listening }, tokens }: Pick<Started, 'tokens'> & { readonly app: Pick<App, 'listening'> }, config: Config, isCheckout = IS_CHECKOUT): string {
  // Where an image's port is published, nobody in it knows: there a path is all that can be said.
  const base = isCheckout ? listening.url : '';
  return [
    '',
    isCheckout ? `paynotify accepts webhooks at ${base}/webhooks/:provider/:account` : `paynotify accepts webhooks on port ${listening.port} of this container, at /webhooks/:provider/:account`,
    ...fromOutside(listening, config, isCheckout),
    ...table([
      ['API and documentation', `${base}/docs`],
      ['health', `${base}/health/ready`],
      ['service token', tokenLine('service', tokens, config, isCheckout)],
      ['admin token', tokenLine('admin', tokens, config, isCheckout)],
    ]),
    ...(tokens.areNew ? [`  (shown this once; kept in ${join(config.dataDirectory, 'tokens.json')}, readable by you alone; "${tokensCommand(config, isCheckout)}" shows them again)`] : []),
    '',
    ...tryIt(listening, config, isCheckout),
    '',
  ].join('\n');
}

const LABEL_WIDTH = 24;

function table(rows: readonly (readonly [string, string])[]): readonly string[] {
  return rows.map(([label, text]) => `  ${label.padEnd(LABEL_WIDTH)}${text}`);
}

/** The way of others, where it is another one than that of a person at this machine. */
function fromOutside({ host, port }: Listening, { http: { trustedProxyHops: hops } }: Config, isCheckout: boolean): readonly string[] {
  if (hops > 0) return table([['from outside', `at the address of your ${hops === 1 ? 'proxy' : `outermost proxy of ${hops}`} (PAYNOTIFY_TRUSTED_PROXY_HOPS=${hops})`]]);
  if (!isCheckout) return table([['from outside', listensEverywhere(host) ? 'where this port is published ("docker port" tells)' : `not at all: HOST=${host}, which no published port reaches`]]);
  const urls = listensEverywhere(host) ? urlsFromOutside(host, port) : [];
  return urls.length === 0 ? [] : table([['from other machines', urls.join(', ')]]);
}

function tokenLine(kind: 'admin' | 'service', { generated, areNew }: Started['tokens'], config: Config, isCheckout: boolean): string {
  const named = generated[kind];
  if (named === null) return `as configured in PAYNOTIFY_${kind.toUpperCase()}_TOKENS`;
  return areNew ? Object.values(named).join(', ') : `shown by: ${tokensCommand(config, isCheckout)}`;
}

function tokensCommand(config: Pick<Config, 'dataDirectory'>, isCheckout: boolean): string {
  return isCheckout ? `${settingsFor(['PAYNOTIFY_DATA', config.dataDirectory, DEFAULTS.dataDirectory])}npm run tokens` : 'docker exec CONTAINER node src/main.ts tokens';
}

const DEFAULTS = readConfig({});

/** What another terminal must be told, because it does not have the variables of this one. */
function settingsFor(...settings: readonly (readonly [variable: string, value: string | number, fallback: string | number])[]): string {
  return settings
    .filter(([, value, fallback]) => value !== fallback)
    .map(([variable, value]) => `${variable}=${/^[\w./:%-]+$/.test(String(value)) ? value : `'${String(value).replaceAll("'", String.raw`'\''`)}'`} `)
    .join('');
}

type Tried = Pick<Config, 'dataDirectory' | 'adminTokens' | 'serviceTokens' | 'providerAccountsFile'>;

/** An image has no scripts, and without generated tokens and accounts they have nothing to sign with: there it is asked over HTTP, and a payment is made by hand. */
function tryIt({ host, port, url }: Listening, config: Tried, isCheckout: boolean): readonly string[] {
  const isGenerated = config.adminTokens === null && config.serviceTokens === null && config.providerAccountsFile === null;
  const settings = settingsFor(['HOST', loopbackOf(host), DEFAULTS.http.host], ['PORT', port, DEFAULTS.http.port], ['PAYNOTIFY_DATA', config.dataDirectory, DEFAULTS.dataDirectory]);
  if (isCheckout && isGenerated) return [`Try it in a second terminal:  ${settings}npm run demo`];
  const keys = isGenerated ? `, with tokens.json and ${SIGNING_KEYS_FILE} out of ${config.dataDirectory} (docker cp)` : ', with tokens and keys of your own';
  return [
    isCheckout ? 'Try it:' : 'Try it from where this port is published:',
    `  every route, with a token              ${isCheckout ? url : ''}/docs`,
    `  a payment by hand                      README, "Sending a webhook by hand"${keys}`,
  ];
}

/** Prints where it is and what to try, then what is waited for, and that it is ready, until `signal` is aborted. */
export async function announce(started: Started, config: Config, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  print(welcome(started, config));
  void reportProgress(started, print, signal);
  await started.app.ready;
  if (signal.aborted) return;
  print(IS_CHECKOUT ? `paynotify is ready: ${started.app.url}` : `paynotify is ready, on port ${started.app.listening.port} of this container`);
  const { dependencies, workers } = await started.app.health();
  const warnings = wordsOf(partsOf(['warning'], { ...dependencies, ...workers }));
  if (warnings !== '') print(`paynotify warns: ${warnings}`);
}

export function rootLine(isCheckout = IS_CHECKOUT): string {
  const cure = isCheckout ? 'deploy/paynotify.service runs it as a user of its own' : 'The image has a user for it: leave --user away';
  return `paynotify runs as root, and of all that it starts only PostgreSQL and RabbitMQ give root up. ${cure}.`;
}

/** A person who waits is told this often what is being waited for. */
const PROGRESS_INTERVAL_MS = 5_000;

/** Prints what is missing until everything is ready or `signal` is aborted. */
export async function reportProgress({ app }: Started, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  void app.ready.then(() => over.abort());
  const untilOver = AbortSignal.any([signal, over.signal]);
  for (;;) {
    await pause(PROGRESS_INTERVAL_MS, untilOver);
    if (untilOver.aborted) return;
    const lacking = missing(await app.health());
    if (lacking !== '') print(`paynotify accepts webhooks and waits for: ${lacking}`);
  }
}

/**
 * Pure. The dependencies that are away, with their reasons: what workers wait for is mostly the same, and then not said
 * again. A worker that names a dependency which is there waits for something else, and is named beside them.
 */
export function missing({ dependencies, workers }: Pick<Health, 'dependencies' | 'workers'>): string {
  const lacking = partsOf(['starting', 'degraded'], dependencies);
  const isThere = (needs: unknown): boolean => Object.entries(dependencies).some(([name, { status }]) => name === needs && status === 'ok');
  const waiting = partsOf(['starting', 'degraded'], workers).filter(([, { detail }]) => lacking.length === 0 || isThere(detail?.['needs']));
  return wordsOf([...lacking, ...waiting]);
}

function wordsOf(parts: readonly [string, WorkerHealth][]): string {
  const namesByReason = new Map<string, string[]>();
  for (const [name, { status, reason = status }] of parts) namesByReason.set(reason, [...(namesByReason.get(reason) ?? []), name]);
  return [...namesByReason].map(([reason, names]) => `${names.join(', ')} (${reason})`).join(', ');
}

function partsOf(statuses: readonly string[], parts: Readonly<Record<string, WorkerHealth>>): [string, WorkerHealth][] {
  return Object.entries(parts).filter(([, { status }]) => statuses.includes(status));
}
