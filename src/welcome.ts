import { join } from 'node:path';
import type { Health } from './platform/observe/health.ts';
import { pause } from './platform/process/backoff.ts';
import type { WorkerHealth } from './platform/process/worker.ts';
import { IS_CHECKOUT } from './platform/process/checkout.ts';
import type { Config } from './config.ts';
import { SIGNING_KEYS_FILE, type Started } from './start.ts';

/** What a person needs to begin: where it is, how to get in, one thing to try. Shown as soon as webhooks are accepted. */
export function welcome({ app, shownTokens }: Started, config: Config): string {
  const kept = join(config.dataDirectory, 'tokens.json');
  return [
    '',
    `paynotify accepts webhooks at ${app.url}/webhooks/:provider/:account`,
    `  API and documentation   ${app.url}/docs`,
    `  health                  ${app.url}/health/ready`,
    `  service token           ${shownTokens.service ?? 'as configured in PAYNOTIFY_SERVICE_TOKENS'}`,
    `  admin token             ${shownTokens.admin ?? 'as configured in PAYNOTIFY_ADMIN_TOKENS'}`,
    ...(shownTokens.admin === null && shownTokens.service === null ? [] : [`  (tokens are kept in ${kept}, readable by you alone)`]),
    '',
    ...tryIt(app.url, config),
    '',
  ].join('\n');
}

/** An image has no scripts: there it is asked over HTTP, and a payment is made by hand with what is kept for that. */
export function tryIt(url: string, { dataDirectory }: Pick<Config, 'dataDirectory'>, isCheckout = IS_CHECKOUT): readonly string[] {
  if (isCheckout) return ['Try it in a second terminal:  npm run demo'];
  return [
    'Try it from where this port is published:',
    `  every route, with a token from above   ${url}/docs`,
    `  a payment by hand                      README, "Sending a webhook by hand", with tokens.json and ${SIGNING_KEYS_FILE} out of ${dataDirectory} (docker cp)`,
  ];
}

/** Prints where it is and what to try, then what is waited for, and that it is ready, until `signal` is aborted. */
export async function announce(started: Started, config: Config, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  print(welcome(started, config));
  void reportProgress(started, print, signal);
  await started.app.ready;
  if (signal.aborted) return;
  print(`paynotify is ready: ${started.app.url}`);
  const { dependencies, workers } = await started.app.health();
  const warnings = wordsOf(partsOf(['warning'], { ...dependencies, ...workers }));
  if (warnings !== '') print(`paynotify warns: ${warnings}`);
}

export function rootLine(): string {
  return 'paynotify runs as root; of all that it starts only PostgreSQL and RabbitMQ give root up. deploy/paynotify.service runs it as a user of its own.';
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
