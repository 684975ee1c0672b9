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
    ...tryIt(config),
    '',
  ].join('\n');
}

/** An image has no scripts: there the demo is run from a clone, with copies of what it signs and asks with. */
export function tryIt({ dataDirectory }: Pick<Config, 'dataDirectory'>, isCheckout = IS_CHECKOUT): readonly string[] {
  if (isCheckout) return ['Try it in a second terminal:  npm run demo'];
  return [
    'Try it from a clone of the project, where this port is published:',
    `  copy tokens.json and ${SIGNING_KEYS_FILE} out of ${dataDirectory} into a folder (docker cp), then`,
    '  PAYNOTIFY_DATA=<that folder> npm run demo',
  ];
}

export function readyLine({ app }: Started): string {
  return `paynotify is ready: ${app.url}`;
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
  const lacking = notWell(dependencies);
  const isThere = (needs: unknown): boolean => Object.entries(dependencies).some(([name, { status }]) => name === needs && status === 'ok');
  const waiting = notWell(workers).filter(([, { detail }]) => lacking.length === 0 || isThere(detail?.['needs']));
  const namesByReason = new Map<string, string[]>();
  for (const [name, { status, reason = status }] of [...lacking, ...waiting]) namesByReason.set(reason, [...(namesByReason.get(reason) ?? []), name]);
  return [...namesByReason].map(([reason, names]) => `${names.join(', ')} (${reason})`).join(', ');
}

function notWell(parts: Readonly<Record<string, WorkerHealth>>): [string, WorkerHealth][] {
  return Object.entries(parts).filter(([, { status }]) => status !== 'ok');
}
