/**
 * Takes out of an image's packages what the program never loads: `node scripts/shed.mjs` beside node_modules and src.
 * The rule is about kinds of files, not about packages, so that it stays right when a package changes.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Read by compilers, debuggers and people. Licences stay: they must come along with the code. */
const FOR_OTHERS = /\.(?:map|markdown|md|flow|tsbuildinfo|d\.[cm]?ts|d\.[cm]?ts\.map)$/i;
const LICENCE = /licen[cs]e|copying|notice/i;

/** Folders directly below a package's own. Deeper ones of these names may be part of the program. */
const FOLDERS = /^(?:(?:.*\/)?node_modules\/)?(?:@[^/]+\/)?[^/@][^/]*\/(?:tests?|__tests__|docs?|examples?|bench(?:marks?)?|\.github)\//;

/** Prisma brings one for each of five databases, in two sizes and two formats: 69 MB, of which one is loaded. */
const QUERY_COMPILER = /(?:^|\/)(query_compiler_[\w.-]+)$/;

/** Names of the compilers that the generated client asks for. */
export function compilersNamedIn(generated) {
  return new Set([...generated.matchAll(/runtime\/(query_compiler_[\w.-]+)"/g)].map(([, name]) => name));
}

/** Pure. @param path of a file below node_modules, e.g. `pg/lib/index.js`. @param compilers from the generated client. */
export function isShed(path, compilers) {
  const compiler = QUERY_COMPILER.exec(path)?.[1];
  if (compiler !== undefined) return !compilers.has(compiler);
  if (LICENCE.test(path.split('/').at(-1))) return false;
  return FOR_OTHERS.test(path) || FOLDERS.test(path);
}

/** @param root folder with node_modules and src/generated. @returns bytes before and after. */
export function shed(root) {
  const compilers = compilersNamedIn(readFileSync(join(root, 'src/generated/prisma/internal/class.ts'), 'utf8'));
  // Without a name the rule would take all of them, and the program would find out at its first query.
  if (compilers.size === 0) throw new Error('the generated client names no query compiler: this is another Prisma, and scripts/shed.mjs must be put right');
  const folder = join(root, 'node_modules');
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = { before: 0, after: 0 };
  for (const file of files) {
    const { size } = statSync(file);
    sizes.before += size;
    if (isShed(file.slice(folder.length + 1), compilers)) rmSync(file);
    else sizes.after += size;
  }
  return sizes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { before, after } = shed(resolve(import.meta.dirname, '..'));
  console.log(`node_modules: ${Math.round(before / 1e6)} MB before, ${Math.round(after / 1e6)} MB after`);
}
