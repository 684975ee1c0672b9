import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import { BASE_ENVIRONMENT } from './server-environment.ts';

/** PostgreSQL refuses to run as root: whom it runs as then, and how a command is started as that user. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** A parent folder of its data or program is closed to this user, who needs the right to pass through. */
  readonly passesClosedFolders: boolean;
}

type KnownUser = Omit<ServerUser, 'passesClosedFolders'>;

/** The first that the machine has is taken; where it has none, the last is created. */
const CANDIDATES = ['postgres', 'nobody', 'paynotify'] as const;

/**
 * The user for a server whose data is in `folder` and whose program is `program`; null when the present user will do.
 * The owner of existing data stays its owner, because a user `postgres` may come to a machine where `nobody` began.
 */
export function serverUser(folder: string, program: string): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const owner = existsSync(folder) ? statSync(folder).uid : 0;
  const users = knownUsers();
  const user = users.find(({ uid }) => uid !== 0 && uid === owner) ?? candidate(users) ?? createUser();
  return { ...user, passesClosedFolders: !mayUse(user, folder) || !mayUse(user, program) };
}

export interface UserCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

/** From the kernel's list of capabilities. */
const DAC_READ_SEARCH_BIT = 1n << 2n;

/**
 * A clone below /root (mode 700) is closed to every other user. One capability then lets the server pass through closed
 * folders; it stays an ordinary user in all else, and cannot gain more. Opening the folder itself is not ours to do.
 */
export function asUser(user: ServerUser | null, command: readonly [string, ...string[]]): UserCommand {
  const [program, ...rest] = command;
  if (user === null) return { program, arguments: rest, identity: {} };
  if (!user.passesClosedFolders) return { program, arguments: rest, identity: { uid: user.uid, gid: user.gid } };
  const only = `-all,+${passingCapability()}`;
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const rights = [`--inh-caps=${only}`, `--ambient-caps=${only}`, `--bounding-set=${only}`];
  return { program: '/usr/bin/setpriv', arguments: [...identity, ...rights, ...command], identity: {} };
}

/** The narrower right (read and pass) where it can be given; containers mostly offer only the wider one (write as well). */
function passingCapability(): 'dac_read_search' | 'dac_override' {
  const given = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${given}`) & DAC_READ_SEARCH_BIT) !== 0n ? 'dac_read_search' : 'dac_override';
}

function knownUsers(): readonly KnownUser[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name, , uid, gid]) => ({ name: name as string, uid: Number(uid), gid: Number(gid) }));
}

function candidate(users: readonly KnownUser[]): KnownUser | undefined {
  return CANDIDATES.map((name) => users.find((user) => user.name === name)).find((user) => user !== undefined);
}

function createUser(): KnownUser {
  const name = CANDIDATES[CANDIDATES.length - 1] as string;
  const result = spawnSync('useradd', ['--system', '--no-create-home', '--user-group', name], { env: BASE_ENVIRONMENT, encoding: 'utf8' });
  const user = candidate(knownUsers());
  if (user === undefined) {
    throw new EmbeddedServiceError(
      `PostgreSQL refuses to run as root, this machine has no user postgres or nobody, and "useradd --system ${name}" failed: ${result.error?.message ?? result.stderr.trim()}. ` +
        'Create such a user, run as an ordinary user, or set DATABASE_URL.',
    );
  }
  return user;
}

/** Asked by trying: access lists and mounts make the answer more than a matter of mode bits. */
function mayUse(user: KnownUser, path: string): boolean {
  const test = spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], { uid: user.uid, gid: user.gid, cwd: '/', env: BASE_ENVIRONMENT });
  return test.status === 0;
}
