import { delimiter } from 'node:path';

/**
 * `npm ci`, told only what must be installed: all that the lock file names, where npm puts it by default. The rest is the
 * user's own configuration and is obeyed: registry, proxy, certificates, tokens, cache. Packages' install scripts do not
 * run: nothing here needs one (links.mjs does what one would have done), and what they fetch no lock file names. The
 * engine check is off because it looks at the Node that npm runs on, which is not the one that is installed.
 */
export const INSTALL = [
  'npm', 'ci', '--include=dev', '--include=optional', '--include=peer', '--ignore-scripts', '--no-engine-strict',
  '--package-lock', '--no-package-lock-only', '--no-global', '--no-dry-run', '--install-strategy=hoisted', '--bin-links', '--no-legacy-peer-deps',
  '--no-audit', '--no-fund', '--no-progress', '--no-json', '--loglevel=error',
];

/** npm deletes node_modules first, so it must not run on the node that is in there. */
export function environmentOutside(modules) {
  const path = (process.env.PATH ?? '').split(delimiter).filter((part) => !part.startsWith(modules)).join(delimiter);
  return { ...process.env, PATH: path };
}

/** Enough for npm's code, what it was doing, and its reason. */
const COMPLAINT_MAX_LINES = 8;

/** The beginning of npm's own error, which names the cause; what follows is usage and where its log is. */
export function complaintOf(output) {
  const lines = output.split('\n').flatMap((line) => /^npm (?:error|ERR!)\s*(.*)$/.exec(line)?.[1]?.trim() ?? []);
  const said = (lines.length > 0 ? lines : output.split('\n')).filter((line) => line !== '' && !/^(?:at |A complete log of this run)/.test(line));
  const usage = said.findIndex((line) => /^(?:Clean install a project|Usage:)/.test(line));
  return said.slice(0, usage === -1 ? COMPLAINT_MAX_LINES : Math.min(usage, COMPLAINT_MAX_LINES));
}

/** Settings that leave out what is younger than a date, which npm reports like a package that does not exist. */
const TOO_YOUNG = /with a date before/;
const TOO_YOUNG_CURE = 'npm\'s configuration leaves out packages that are younger than this date: its settings before and min-release-age.';

/** By the code that npm's error begins with. Where none fits, nothing is advised: npm's own words are all that is known. */
const CURES = [
  {
    codes: /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|ERR_INVALID_PROTOCOL|E5\d\d)$/,
    cure: 'npm could not reach the package registry; "npm ping" tries the same. A proxy or another registry is set in npm\'s own configuration: npm config set https-proxy <url>, npm config set registry <url>.',
  },
  { codes: /CERT|ERR_SSL|UNABLE_TO_VERIFY/, cure: 'npm does not trust the certificate it was shown. That of a company is set with: npm config set cafile <file>.' },
  { codes: /^(?:E401|E403|E407|ENEEDAUTH)$/, cure: 'The registry or the proxy wants other credentials than npm\'s configuration has ("npm config list" shows what is set).' },
  { codes: /^(?:E404|ETARGET|ENOVERSIONS)$/, cure: 'The registry that npm is configured for ("npm config get registry") does not offer this package in this version.' },
  { codes: /^(?:ENOSPC|EDQUOT)$/, cure: 'Make room: the packages take 1 GB.' },
  { codes: /^(?:EACCES|EPERM|EROFS)$/, cure: 'The place named above must be writable: start as the owner of this folder, or give npm another cache (npm config set cache <folder>).' },
  { codes: /^EINTEGRITY$/, cure: 'What the registry sent is not what package-lock.json names. If npm\'s cache is damaged, "npm cache clean --force" helps.' },
];

export function cureFor(complaint) {
  if (complaint.some((line) => TOO_YOUNG.test(line))) return TOO_YOUNG_CURE;
  const code = complaint.map((line) => /^code (\S+)/.exec(line)?.[1]).find((found) => found !== undefined) ?? '';
  return CURES.find(({ codes }) => codes.test(code))?.cure ?? '';
}
