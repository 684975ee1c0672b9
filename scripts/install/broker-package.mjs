import { existsSync } from 'node:fs';
import { InstallError, run, say, succeeds } from './report.mjs';

/** Packages of the same name come from Debian, Ubuntu and RabbitMQ's own archive: any will do. */
const PACKAGE = 'rabbitmq-server';
const UNITS = ['rabbitmq-server.service', 'epmd.service', 'epmd.socket'];

/** Another apt may be at work (automatic upgrades just after boot): it is waited for this long. */
const APT_LOCK_LIMIT_S = 120;

/** Debian's way to tell package scripts whether they may start a service. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY_MARK = 'placed by paynotify';

/** What to put before a command that needs root: nothing, sudo, or null when there is no way. */
export async function privilege() {
  if (process.getuid?.() === 0) return [];
  return (await succeeds(['sudo', '-n', 'true'])) ? ['sudo', '-n'] : null;
}

/**
 * Installs the package but neither starts nor enables its system-wide service, which would listen on all interfaces.
 * Order: deny starting, install, take the denial back whatever happened, disable.
 */
export async function installPackage(prefix) {
  const apt = (...args) => [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_MODE=l', ...proxies(), 'apt-get', '-o', `DPkg::Lock::Timeout=${APT_LOCK_LIMIT_S}`, ...args];
  const remedy = 'Check that the package archives can be reached ("apt-get update") and that no other package installation is stuck.';
  const complaints = await refreshLists(apt('update'), remedy);
  const takeBack = await denyStarting(prefix);
  try {
    await run(apt('install', '-y', '--no-install-recommends', PACKAGE), {
      title: 'installing rabbitmq-server (apt-get install, about half a minute)',
      remedy: `${complaints}${remedy}`,
    });
  } finally {
    await takeBack();
  }
  await disable(prefix);
}

/** sudo drops them; apt's own configuration, where it names a proxy, comes first in any case. */
function proxies() {
  return ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : []));
}

/** One archive that is away need not matter, and apt-get mostly calls that a success: only what installing then says counts. */
async function refreshLists(command, remedy) {
  const output = await run(command, { title: 'reading the package lists (apt-get update)', remedy }).catch((error) => error.message);
  const complaints = output.split('\n').map((line) => line.trim()).filter((line) => /^[WE]:/.test(line));
  return complaints.length === 0 ? '' : `apt-get update had said:\n${complaints.map((line) => `    ${line}\n`).join('')}\n`;
}

/** A policy of somebody else's is left as it is: where there is one, it denies (container images), and disable() does the rest. */
async function denyStarting(prefix) {
  const isOurs = existsSync(POLICY_FILE) && (await succeeds(['grep', '-q', POLICY_MARK, POLICY_FILE]));
  if (existsSync(POLICY_FILE) && !isOurs) return async () => undefined;
  const remedy = 'RabbitMQ is not installed without this, because its system-wide service would be started at once.';
  await run([...prefix, 'sh', '-c', 'printf %s "$1" > "$0" && chmod 755 "$0"', POLICY_FILE, policy(process.pid)], { remedy });
  // Ctrl-C reaches this process and apt alike; apt ends by itself, and then the denial is taken back as ever.
  let interrupted = false;
  const note = () => (interrupted = true);
  process.on('SIGINT', note);
  return async () => {
    process.off('SIGINT', note);
    await run([...prefix, 'rm', '-f', POLICY_FILE], { remedy: `Remove ${POLICY_FILE} by hand.` });
    if (interrupted) process.exit(130);
  };
}

/** Denies only what the package would start, and only while the installation lives: a forgotten file does no harm. */
function policy(pid) {
  return `#!/bin/sh
# ${POLICY_MARK} while it installs ${PACKAGE}; may be removed
[ -d /proc/${pid} ] || exit 0
case " $* " in *rabbitmq-server*|*epmd*) exit 101;; esac
exit 0
`;
}

/** Else the service would come up with the next boot. Where there is no systemd, nothing was enabled. */
async function disable(prefix) {
  if (!(await succeeds(['systemctl', '--version']))) return;
  const now = existsSync('/run/systemd/system') ? ['--now'] : [];
  try {
    await run([...prefix, 'systemctl', 'disable', ...now, ...UNITS], { remedy: '' });
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    say(`the system-wide RabbitMQ service could not be disabled; to do so: systemctl disable --now ${UNITS.join(' ')}`);
  }
}
