import { posix } from 'node:path';
import ts from 'typescript';
import { codeOf, importsOf, lineOf, walk, type Import } from './source.ts';
import type { Rule } from './tree.ts';

/**
 * Imports point down. What a place in `src` may import, besides itself:
 *
 * | place                         | may import                                          |
 * | ----------------------------- | --------------------------------------------------- |
 * | main                          | top, config, platform, contracts                    |
 * | top (app.ts, services.ts, …)  | top, config, any module, platform, contracts        |
 * | config.ts                     | contracts                                           |
 * | modules/X                     | platform, contracts; never another module           |
 * | platform                      | contracts                                           |
 * | contracts                     | nothing                                             |
 * | event-store-server            | nothing; and only top imports it, by its worker-host |
 *
 * Modules and platform may use `generated`, Prisma's client. Type-only imports count: a word from above is a dependency
 * on what is above.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ['top', 'config', 'platform', 'contracts'],
  top: ['top', 'config', 'modules', 'platform', 'contracts'],
  config: ['config', 'contracts'],
  modules: ['platform', 'contracts', 'generated'],
  platform: ['platform', 'contracts', 'generated'],
  contracts: ['contracts'],
  'event-store-server': ['event-store-server'],
  generated: ['generated'],
};

/** The embedded event store is reached over its wire; this file is how it is started. */
const EVENT_STORE_DOOR = 'src/event-store-server/worker-host.ts';

interface Place {
  readonly layer: string;
  /** Set inside modules only. */
  readonly module: string | null;
}

function placeOf(path: string): Place | null {
  const [root, first, second] = path.replace(/(?:\.test)?\.ts$/, '').split('/');
  if (root !== 'src' || first === undefined) return null;
  if (second !== undefined) return { layer: first, module: first === 'modules' ? second : null };
  return { layer: first === 'main' || first === 'config' ? first : 'top', module: null };
}

export const importDirection: Rule = (tree) =>
  importsOf(tree).flatMap(({ from, specifier, target }) => {
    const here = placeOf(from);
    if (here === null || target === null) return [];
    const there = placeOf(target);
    if (there === null) return [`${from} imports ${specifier} from outside src`];
    if (here.module !== null && here.module === there.module) return [];
    if (MAY_IMPORT[here.layer]?.includes(there.layer) === true) return [];
    if (here.layer === 'top' && target === EVENT_STORE_DOOR) return [];
    const [what, whom] = [here, there].map(({ layer, module }) => (module === null ? layer : `module ${module}`));
    return [`${from} imports ${specifier}: ${what} may not import ${whom}`];
  });

export const importExtensions: Rule = (tree) =>
  importsOf(tree)
    .filter(({ target }) => target !== null && !/\.(?:ts|mjs|json)$/.test(target))
    .map(({ from, specifier }) => `${from} imports ${specifier} without the file's extension`);

/** The folder of a file counts as well: two folders that import each other are one folder with two names. */
export const importRings: Rule = (tree) => {
  const values = importsOf(tree).filter(({ typeOnly, target }) => !typeOnly && target !== null);
  const byFile = values.map(edge);
  const byFolder = byFile.map(([from, to]) => [posix.dirname(from), posix.dirname(to)] as const).filter(([from, to]) => from !== to);
  return [...ringsOf(byFile), ...ringsOf(byFolder)].map((ring) => `${ring.join(' → ')} → ${ring[0]} is a ring of imports`);
};

const edge = ({ from, target }: Import): readonly [string, string] => [from, target as string];

/** One shortest ring through each node that lies on one, each ring named once. */
function ringsOf(edges: readonly (readonly [string, string])[]): readonly (readonly string[])[] {
  const next = Map.groupBy(edges, ([from]) => from);
  const inRing = new Set<string>();
  return [...next.keys()].flatMap((start) => {
    const ring = inRing.has(start) ? null : shortestWayBack(start, (node) => (next.get(node) ?? []).map(([, to]) => to));
    for (const node of ring ?? []) inRing.add(node);
    return ring === null ? [] : [ring];
  });
}

function shortestWayBack(start: string, next: (node: string) => readonly string[]): readonly string[] | null {
  const seen = new Set<string>();
  let ways: (readonly string[])[] = [[start]];
  while (ways.length > 0) {
    const home = ways.find((way) => next(way.at(-1) as string).includes(start));
    if (home !== undefined) return home;
    ways = ways.flatMap((way) =>
      next(way.at(-1) as string).flatMap((node) => {
        if (seen.has(node)) return [];
        seen.add(node);
        return [[...way, node]];
      }),
    );
  }
  return null;
}

/** What the program imports must come along into the image: `dependencies`, not `devDependencies`. */
export const declaredPackages: Rule = (tree) => {
  const { dependencies = {} } = JSON.parse(tree.get('package.json') ?? '{}') as { dependencies?: Record<string, string> };
  return importsOf(tree)
    .filter(({ from, target }) => from.startsWith('src/') && !from.endsWith('.test.ts') && target === null)
    .filter(({ specifier }) => !specifier.startsWith('node:') && !Object.hasOwn(dependencies, packageOf(specifier)))
    .map(({ from, specifier }) => `${from} imports ${specifier}, which is not in dependencies`);
};

function packageOf(specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** main.ts hands the environment to config.ts, which alone knows names. */
const ENVIRONMENT_READERS = new Set(['src/config.ts', 'src/main.ts']);

export const environmentReaders: Rule = (tree) =>
  codeOf(tree)
    .filter(({ fileName }) => fileName.startsWith('src/') && !ENVIRONMENT_READERS.has(fileName))
    .flatMap((source) => {
      const found: string[] = [];
      walk(source, (node) => {
        if (ts.isPropertyAccessExpression(node) && node.getText(source) === 'process.env') {
          found.push(`${source.fileName}:${lineOf(source, node)} reads the environment; only src/config.ts does`);
        }
      });
      return found;
    });
