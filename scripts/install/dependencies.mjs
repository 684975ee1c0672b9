import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fingerprint, readIfThere } from './fingerprint.mjs';
import { PLATFORM_PACKAGES } from './links.mjs';
import { complaintOf, cureFor, environmentOutside, INSTALL } from './npm.mjs';
import { answerOf, InstallError, run } from './report.mjs';

/** `npm ci`, when node_modules is not what package-lock.json says. Order: remove the mark, install, set the mark. */
export function dependenciesStep(root) {
  const lockFile = join(root, 'package-lock.json');
  const modules = join(root, 'node_modules');
  const mark = join(modules, '.paynotify-lock');

  return {
    isNeeded() {
      if (leftOut(root, lockFile).length > 0) return true;
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
      const version = await answerOf(['npm', '--version'], { remedy: 'Install npm and start again.', env });
      const ownCache = join(root, '.data', 'npm-cache');
      await run([...INSTALL, ...((await isCacheUsable(env)) ? [] : [`--cache=${ownCache}`])], {
        title: `installing dependencies (npm ${version} ci, about a minute)`,
        excerpt: complaintOf,
        remedy: cureFor,
        doubt: '; does the package registry answer? "npm ping" tells, and a proxy is set with "npm config set https-proxy <url>"',
        cwd: root,
        env,
      });
      rmSync(ownCache, { recursive: true, force: true });
      const lacking = leftOut(root, lockFile);
      if (lacking.length > 0) throw new InstallError(`npm has left out ${lacking.join(' and ')} without a word, as it does with an optional package that it could not load. Start again.`);
      writeFileSync(mark, fingerprint([lockFile]));
    },
  };
}

/** Optional only because each platform has its own: of those that the lock file has for this one, none may be missing. */
function leftOut(root, lockFile) {
  const lock = readIfThere(lockFile);
  return PLATFORM_PACKAGES.filter((name) => lock.includes(`"node_modules/${name}"`) && !existsSync(join(root, 'node_modules', name)));
}

/** npm's cache is below the home folder, which a service's user may not have or not be allowed to write. */
async function isCacheUsable(env) {
  let place = await answerOf(['npm', 'config', 'get', 'cache'], { remedy: '', env });
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
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
