import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import { BASE_ENVIRONMENT } from './server-environment.ts';
import { giveFolder } from './server-files.ts';

/**
 * PostgreSQL refuses to run as root, and RabbitMQ has no need to: whom a server runs as then, and how a command is started
 * as that user.
 */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** What it is lent to pass through folders that are closed to it; null where none is. */
  readonly right: PassingRight | null;
}

type KnownUser = Omit<ServerUser, 'right'>;

/** The first that the machine has is taken; where it has none, the last is created. */
const CANDIDATES = {
  PostgreSQL: ['postgres', 'nobody', 'paynotify'],
  RabbitMQ: ['rabbitmq', 'nobody', 'paynotify'],
} as const;
type Server = keyof typeof CANDIDATES;

/**
 * Capabilities of the kernel, the narrower first: to read and pass, or to write and execute as well. Containers mostly
 * have only the wider one, and a program that was installed with umask 077 can only be executed with it.
 */
const PASSING_RIGHTS = ['dac_read_search', 'dac_override'] as const;
type PassingRight = (typeof PASSING_RIGHTS)[number];

/**
 * The user for a server whose data is in `folder`, which is given to that user; null when the present user will do.
 * The owner of existing data stays its owner, because a user `postgres` may come to a machine where `nobody` began; only
 * what root or a stranger to this machine has is handed over. No server may be running in the folder meanwhile.
 * Whether folders above are closed, and what helps, is found out by `trial`: a command of the server's own programs that
 * asks all that they will ask. Mode bits would not tell: access lists, mounts and what a container lacks decide as well.
 * @throws EmbeddedServiceError naming the closed folder when no right that this system can lend opens it.
 */
export function serverUser(server: Server, folder: string, trial: Trial): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(folder).uid;
  const users = knownUsers();
  const user = users.find(({ uid }) => uid !== 0 && uid === owner) ?? candidate(server, users) ?? createUser(server);
  give(server, folder, user);
  const right = [null, ...PASSING_RIGHTS].find((lent) => succeeds({ ...user, right: lent }, folder, trial));
  if (right !== undefined) return { ...user, right };
  const closed = closedFolder(user, [folder, trial[0]]);
  // Where no folder is closed the trouble is another one, and the server itself will say which.
  if (closed === null) return { ...user, right: null };
  throw new EmbeddedServiceError(
    `${server} does not run as root, and ${closed} is closed to the user "${user.name}" that it would run as here. This system cannot lend that user the right to pass ` +
      `(setpriv with ${PASSING_RIGHTS.join(' or ')} and no_setuid_fixup). Move the clone and PAYNOTIFY_DATA to where every user may pass, for example below /srv, or run as an ordinary user.`,
  );
}

/** Program (absolute path) and arguments. */
type Trial = readonly [string, ...string[]];

export interface UserCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

/**
 * A clone below /root (mode 700) is closed to every other user. One capability then lets the server pass through closed
 * folders; it stays an ordinary user in all else, and cannot gain more. Opening the folder itself is not ours to do.
 * PostgreSQL also asks access(2) for its own programs, which by default answers a user without what was lent to it:
 * no_setuid_fixup is what makes the answer take it into account (capabilities(7), "The securebits flags").
 */
export function asUser(user: ServerUser | null, command: readonly [string, ...string[]]): UserCommand {
  const [program, ...rest] = command;
  if (user === null) return { program, arguments: rest, identity: {} };
  if (user.right === null) return { program, arguments: rest, identity: { uid: user.uid, gid: user.gid } };
  const only = `-all,+${user.right}`;
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const rights = [`--inh-caps=${only}`, `--ambient-caps=${only}`, `--bounding-set=${only}`, '--securebits=+no_setuid_fixup'];
  return { program: '/usr/bin/setpriv', arguments: [...identity, ...rights, ...command], identity: {} };
}

/** Through a shell like the server itself, and into its folder by that user's own right. */
function succeeds(user: ServerUser, folder: string, trial: Trial): boolean {
  return spawnAs(user, ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', folder, ...trial]).status === 0;
}

/** The topmost folder on the way to one of the paths that the user cannot pass without help. */
function closedFolder(user: KnownUser, paths: readonly string[]): string | null {
  const onTheWay = paths.flatMap((path) => foldersOf(path));
  const looked = spawnAs({ ...user, right: null }, ['/bin/sh', '-c', 'for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit; }; done', 'sh', ...onTheWay]);
  return looked.stdout === '' ? null : looked.stdout;
}

function foldersOf(path: string): readonly string[] {
  return path === '/' ? [] : [...foldersOf(dirname(path)), path];
}

function spawnAs(user: ServerUser, command: readonly [string, ...string[]]): { readonly status: number | null; readonly stdout: string } {
  const start = asUser(user, command);
  const { status, stdout } = spawnSync(start.program, start.arguments, { ...start.identity, cwd: '/', env: BASE_ENVIRONMENT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return { status, stdout };
}

/** Root keeps on writing there (logs, the password): without dac_override it could not. */
function give(server: Server, folder: string, user: KnownUser): void {
  try {
    giveFolder(folder, user);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new EmbeddedServiceError(
      `${server} does not run as root, and ${folder} cannot be shared with the user "${user.name}" that it would run as here (${(error as NodeJS.ErrnoException).code}: root lacks chown or dac_override, or the disk is not a local one). ` +
        'Set PAYNOTIFY_DATA to a folder where root may do so, or run as an ordinary user.',
      { cause: error },
    );
  }
}

function knownUsers(): readonly KnownUser[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name, , uid, gid]) => ({ name: name as string, uid: Number(uid), gid: Number(gid) }));
}

function candidate(server: Server, users: readonly KnownUser[]): KnownUser | undefined {
  return CANDIDATES[server].map((name) => users.find((user) => user.name === name)).find((user) => user !== undefined);
}

function createUser(server: Server): KnownUser {
  const [known, ...others] = CANDIDATES[server];
  const name = others[others.length - 1] as string;
  const result = spawnSync('useradd', ['--system', '--no-create-home', '--user-group', name], { env: BASE_ENVIRONMENT, encoding: 'utf8' });
  const user = candidate(server, knownUsers());
  if (user === undefined) {
    throw new EmbeddedServiceError(
      `${server} does not run as root, this machine has no user ${known} or nobody, and "useradd --system ${name}" failed: ${result.error?.message ?? result.stderr.trim()}. ` +
        'Create such a user, or run as an ordinary user.',
    );
  }
  return user;
}
