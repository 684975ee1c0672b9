import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandsRunByCi, documents } from './tidy/documents.ts';
import { readIgnoreFile } from './tidy/ignore-file.ts';
import { declaredPackages, environmentReaders, importDirection, importExtensions, importRings } from './tidy/imports.ts';
import { fileNames } from './tidy/names.ts';
import { FILE_LINES_MAX, fileSize, FUNCTION_LINES_MAX, functionSize } from './tidy/sizes.ts';
import { readTree, tree, type Rule } from './tidy/tree.ts';
import { leftOutTests, machinePaths, registryHosts, unfinishedWork } from './tidy/words.ts';

/** The style of this repository as a test. A rule comes with samples that show that it fires, and on what it does not. */

/** Files that may be long, each with its reason. */
const LONG_FILES = new Map<string, string>();

const repository = readTree(resolve(import.meta.dirname, '..'));
const lines = (count: number, line = 'x;'): string => Array<string>(count).fill(line).join('\n');
/** Put together here, so that this file does not name what it forbids. */
const path = (...parts: string[]): string => ['', ...parts].join('/');
const address = (host: string): string => ['https:', '', host].join('/');

interface Sample {
  readonly rule: Rule;
  /** Each tree breaks the rule in the way its complaint names. */
  readonly bad: readonly (readonly [complaint: string, files: Readonly<Record<string, string>>])[];
  readonly good: Readonly<Record<string, string>>;
  /** True for a variant of a rule that is about its samples only. */
  readonly samplesOnly?: boolean;
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  'imports point down and modules do not import each other': {
    rule: importDirection,
    bad: [
      ['module orders may not import module learning', { 'src/modules/orders/a.ts': "import { b } from '../learning/b.ts';" }],
      ['module orders may not import top', { 'src/modules/orders/a.ts': "import type { App } from '../../app.ts';" }],
      ['module orders may not import config', { 'src/modules/orders/a.ts': "import { readConfig } from '../../config.ts';" }],
      ['platform may not import module orders', { 'src/platform/http/a.ts': "export * from '../../modules/orders/b.ts';" }],
      ['contracts may not import platform', { 'src/contracts/a.ts': "export type A = import('../platform/http/b.ts').B;" }],
      ['config may not import platform', { 'src/config.ts': "import './platform/http/b.ts';" }],
      ['main may not import module orders', { 'src/main.ts': "await import('./modules/orders/b.ts');" }],
      ['top may not import event-store-server', { 'src/app.ts': "import './event-store-server/main.ts';" }],
      ['event-store-server may not import contracts', { 'src/event-store-server/a.ts': "import '../contracts/b.ts';" }],
      ['from outside src', { 'src/app.ts': "import '../test/harness/b.ts';" }],
    ],
    good: {
      'src/main.ts': "import './app.ts'; import './config.ts'; import './platform/process/a.ts';",
      'src/services.ts': "import './event-store-server/worker-host.ts';",
      'src/app.ts': "import './services.ts'; import './modules/orders/a.ts'; import './modules/learning/b.ts';",
      'src/modules/orders/a.ts': "import './b.ts'; import '../../platform/http/a.ts'; import '../../contracts/a.ts'; import 'fastify';",
      'test/flow.test.ts': "import '../src/modules/orders/a.ts'; import '../src/modules/learning/b.ts';",
    },
  },
  'no ring of imports between files or folders, types left out': {
    rule: importRings,
    bad: [
      ['a.ts → src/b.ts → src/c.ts → src/a.ts', { 'src/a.ts': "import './b.ts';", 'src/b.ts': "import { c } from './c.ts';", 'src/c.ts': "export { a } from './a.ts';" }],
      ['src/x → src/y → src/x', { 'src/x/a.ts': "import '../y/b.ts';", 'src/y/c.ts': "import '../x/d.ts';" }],
    ],
    good: { 'src/a.ts': "import './b.ts';", 'src/b.ts': "import type { A } from './a.ts'; import { type B } from './a.ts';" },
  },
  'a relative import names the file with its extension': {
    rule: importExtensions,
    bad: [
      ['imports ./b without', { 'src/a.ts': "import './b';" }],
      ['imports ./b.js without', { 'src/a.ts': "import './b.js';" }],
    ],
    good: { 'src/a.ts': "import './b.ts'; import pg from 'pg'; import json from './c.json' with { type: 'json' };" },
  },
  'the program imports packages that production installs': {
    rule: declaredPackages,
    bad: [['which is not in dependencies', { 'src/a.ts': "import 'vitest';", 'package.json': '{"dependencies":{"pg":"1"},"devDependencies":{"vitest":"1"}}' }]],
    good: { 'src/a.ts': "import 'node:fs'; import '@a/b/c'; import 'pg';", 'src/a.test.ts': "import 'vitest';", 'package.json': '{"dependencies":{"pg":"1","@a/b":"1"}}' },
  },
  'only src/config.ts reads the environment': {
    rule: environmentReaders,
    bad: [
      ['src/platform/a.ts:2 reads', { 'src/platform/a.ts': '\nconst port = process.env.PORT;' }],
      ['src/app.ts:1 reads', { 'src/app.ts': 'start({ ...process.env });' }],
    ],
    good: { 'src/main.ts': 'readConfig(process.env);', 'src/a.ts': '// process.env is read elsewhere\nconst text = "process.env";', 'scripts/a.ts': 'process.env.X' },
  },
  'a file has at most 300 lines': {
    rule: fileSize(LONG_FILES),
    bad: [['src/a.ts has more than', { 'src/a.ts': lines(FILE_LINES_MAX + 1) }]],
    good: { 'src/a.ts': `${lines(FILE_LINES_MAX)}\n`, 'docs/a.md': lines(FILE_LINES_MAX + 1) },
  },
  'an exception from the size of a file is needed': {
    rule: fileSize(new Map([['src/list.ts', 'a list']])),
    bad: [['src/list.ts needs no exception', { 'src/list.ts': lines(FILE_LINES_MAX) }], ['src/list.ts needs no exception', {}]],
    good: { 'src/list.ts': lines(FILE_LINES_MAX + 1) },
    samplesOnly: true,
  },
  'a function has at most 70 lines': {
    rule: functionSize,
    bad: [
      ['src/a.ts:2 is a function of 71 lines', { 'src/a.ts': `\nfunction a() {\n${lines(FUNCTION_LINES_MAX - 1)}\n}` }],
      ['src/a.ts:1 is a function of 71 lines', { 'src/a.ts': `server.register(async () => {\n${lines(FUNCTION_LINES_MAX - 1)}\n});` }],
      ['src/a.ts:2 is a function of 71 lines', { 'src/a.ts': `class A {\nb() {\n${lines(FUNCTION_LINES_MAX - 1)}\n} }` }],
      ['src/a.ts:1 is a function of 71 lines', { 'src/a.ts': `function a() {\nb(() => {\n${lines(FUNCTION_LINES_MAX - 3)}\n});\n}` }],
      ['src/a.test.ts:1 is a function of 71 lines', { 'src/a.test.ts': `const a = () => {\n${lines(FUNCTION_LINES_MAX - 1)}\n};` }],
    ],
    good: {
      'src/a.ts': `function a() {\n${lines(FUNCTION_LINES_MAX - 2)}\n}`,
      'src/b.ts': `function createB() {\nconst c = () => {\n${lines(60)}\n};\nfunction d() {\n${lines(60)}\n}\nreturn { e() {\n${lines(60)}\n} };\n}`,
      'src/a.test.ts': `describe('a', () => {\n${lines(FUNCTION_LINES_MAX)}\n});`,
    },
  },
  'names are kebab-case and say something': {
    rule: fileNames,
    bad: [
      ['"eventStore.ts" is not kebab-case', { 'src/platform/eventStore.ts': '' }],
      ['"Learning" is not kebab-case', { 'src/modules/Learning/a.ts': '' }],
      ['"a_b.ts" is not kebab-case', { 'scripts/a_b.ts': '' }],
      ['"utils" is no name', { 'src/utils/a.ts': '' }],
      ['"manager" is no name', { 'src/platform/queue-manager.ts': '' }],
      ['"helper" is no name', { 'test/helper.ts': '' }],
    ],
    good: { 'src/modules/payments/standard-webhooks.test.ts': '', 'src/main.ts': '', 'prisma/migrations/1_first/migration.sql': '', 'docs/ARCHITECTURE.md': '' },
  },
  'nothing unfinished is left': {
    rule: unfinishedWork,
    bad: [['src/a.ts:2 is not finished', { 'src/a.ts': '\n// TODO: later' }], ['scripts/a.mjs:1 is not', { 'scripts/a.mjs': '/* FIXME */' }]],
    good: { 'src/a.ts': 'const TODOS = 1;' },
  },
  'no test is left out without a reason': {
    rule: leftOutTests,
    bad: [
      ['src/a.test.ts:1 it.only leaves out', { 'src/a.test.ts': "it.only('x', () => {});" }],
      ['describe.only leaves out', { 'test/a.test.ts': "// why\ndescribe.only('x', () => {});" }],
      ['it.skip without a reason', { 'test/a.test.ts': "x();\nit.skip('x', () => {});" }],
      ['test.skipIf without a reason', { 'test/a.test.ts': "test.skipIf(windows)('x', () => {});" }],
    ],
    good: { 'test/a.test.ts': "// Needs a server that speaks TLS.\nit.skip('x', () => {});\nit('y', () => {}); // it.only", 'src/a.ts': 'it.only' },
  },
  'no path of one machine': {
    rule: machinePaths,
    bad: [
      ['docs/a.md:1 names a path', { 'docs/a.md': `see ${path('work', 'main')}` }],
      ['src/a.ts:2 names a path', { 'src/a.ts': `\nread('${path('tmp', 'x')}')` }],
      ['a:1 names a path', { a: path('home', 'someone', 'x') }],
    ],
    good: { 'src/a.ts': "join(root, 'tmp/x'); '/var/lib/paynotify'; `${folder}/home/x`; 'http://host/work/x'" },
  },
  'no package registry': {
    rule: registryHosts,
    bad: [['.npmrc:1 names a package registry', { '.npmrc': `registry=${address('registry.example.org')}` }], ['a.sh:1', { 'a.sh': `curl ${address('npm-mirror:8080')}/x` }]],
    good: { 'README.md': 'https://example.org/registry and esdb://host' },
  },
  'a command that a document tells of is run by CI': {
    rule: commandsRunByCi,
    bad: [
      ['README.md tells of "npm run demo"', { 'README.md': 'Try `npm run demo`.', 'scripts/ci.sh': 'npm test' }],
      ['docs/ARCHITECTURE.md tells of "npm test"', { 'docs/ARCHITECTURE.md': '```sh\nnpm test\n```', 'scripts/ci.sh': 'npm start' }],
    ],
    good: { 'README.md': '```sh\nnpm start\n```\n`npm run bench` and npm itself', 'scripts/ci.sh': 'npm start\ncheck npm run bench -- --quick' },
  },
  'a document has one title and no broken link': {
    rule: documents,
    bad: [
      ['README.md has 0 titles', { 'README.md': '## Part' }],
      ['README.md has 2 titles', { 'README.md': '# One\n# Two' }],
      ['links to docs/b.md, which', { 'README.md': '# One\n[b](docs/b.md)' }],
      ['links to ../b.md, which', { 'docs/a.md': '# One\n[b](../b.md)', 'docs/b.md': '# B' }],
      ['links to #other, which', { 'README.md': '# One\n[b](#other)' }],
      ['links to b.md#no-part, which', { 'README.md': '# One\n[b](b.md#no-part)', 'b.md': '# B\n## Part' }],
    ],
    good: {
      'README.md': '# One\n[b](docs/b.md#what-is-it) [c](docs/) [d](https://example.org) [e](#one)\n```sh\n# no title\n```\n`[x](y)`',
      'docs/b.md': '# B\n## What *is* it?\n[one](../README.md)',
    },
  },
};

describe.each(Object.entries(SAMPLES))('%s', (_name, { rule, bad, good, samplesOnly }) => {
  it.each(bad)('fires: %s', (complaint, files) => {
    expect(rule(tree(files)).join('\n')).toContain(complaint);
  });

  it('leaves a good sample alone', () => {
    expect(rule(tree(good))).toEqual([]);
  });

  if (samplesOnly !== true) {
    it('holds in this repository', () => {
      expect(rule(repository)).toEqual([]);
    });
  }
});

describe('the tree that the rules see', () => {
  it('is this repository, without what git ignores', () => {
    expect([...repository.keys()]).toEqual(expect.arrayContaining(['package.json', 'src/config.ts', 'test/tidy.test.ts', '.gitignore']));
    expect([...repository.keys()].filter((file) => /^(?:node_modules|\.git|\.data|src\/generated)\//.test(file))).toEqual([]);
  });

  it.each([
    ['git', 'node_modules/\n*.log', 'packages/a/node_modules/b.js', true],
    ['git', '*.log', 'docs/a.log', true],
    ['git', '/dist', 'src/dist/a.ts', false],
    ['git', 'src/generated/', 'src/generated/prisma/client.ts', true],
    ['git', '*.log\n!keep.log', 'keep.log', false],
    ['docker', '*\n!src', 'src/main.ts', false],
    ['docker', '*\n!src', 'README.md', true],
    ['docker', '*\n!src\nsrc/generated', 'src/generated/a.ts', true],
    ['docker', '*\n!src\n**/*.test.ts', 'src/contracts/money.test.ts', true],
    ['docker', 'main.ts', 'src/main.ts', false],
  ] as const)('with the patterns of %s "%s", %s is ignored: %s', (kind, patterns, file, ignored) => {
    expect(readIgnoreFile(patterns, kind)(file)).toBe(ignored);
  });
});
