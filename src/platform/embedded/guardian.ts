import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { ServerLog } from './server-log.ts';
import { asUser, type ServerUser } from './server-user.ts';

/**
 * Runs a server so that it never outlives the application.
 *
 *     application ──pipe──▶ guardian (/bin/sh, a session of its own) ──child──▶ server
 *
 * The application holds the writing end of the pipe and never writes. Closing it, on purpose or by dying in any way
 * (after kill -9 the kernel closes it), is the one and only order to stop:
 *   1. the guardian sends the server its stop signal,
 *   2. kills it when the time limit has passed,
 *   3. ends with the server's exit code once the server has ended.
 * So an orderly stop and a crash of the application take the same way. The session of its own keeps Ctrl-C in a
 * terminal from reaching the server before the application has finished with it. When application and guardian are
 * killed together, the server is left behind; the next start stops it (leftovers.ts).
 */
export interface Guarded {
  /** Process id of the server itself. */
  readonly pid: number;
  /** Resolves when the server has ended for whatever reason, with that reason in words. Never rejects. */
  readonly exited: Promise<string>;
  hasExited(): boolean;
  /** Stops the server and resolves when it has ended. Calling it again waits for the same end. */
  stop(): Promise<void>;
}

export interface GuardedCommand {
  /** Program (absolute path) and arguments. */
  readonly command: readonly [string, ...string[]];
  /** Working directory; leftovers.ts finds the processes of a folder by it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: ServerLog;
  readonly stopSignal: 'INT' | 'TERM';
  readonly stopLimitMs: number;
  readonly user: ServerUser | null;
}

/** Marks guardians in process lists, where the folder stands among their arguments. */
export const GUARDIAN_NAME = 'paynotify-guardian';

// A signal to the guardian itself does nothing (stopping a service may signal its whole group): only the pipe counts.
// It is trapped and not ignored, because the server would inherit an ignored signal; the watcher, which only starts
// `sleep`, ignores it. The server is a child that only this script reaps, so its pid cannot come to mean a stranger
// while the watcher still knows it. Once the server has ended, the watcher is ended by a signal that this script never
// traps: one that is trapped would be lost on a watcher that has only just been forked and still carries the trap, and
// both would wait for ever. A watcher that is already stopping the server is not interrupted, only waited for: it would
// leave its `sleep` behind.
const SCRIPT = `
signal=$1; ticks=$2; shift 3
trap : HUP INT TERM
exec 3<&0
"$@" </dev/null 1>&2 3<&- &
server=$!
echo "$server"
exec 1>/dev/null
(
  trap '' HUP INT TERM
  read -r _ <&3
  trap '' USR1
  kill -s "$signal" "$server"
  while [ "$ticks" -gt 0 ] && kill -0 "$server"; do sleep 0.05; ticks=$((ticks - 1)); done
  kill -s KILL "$server"
) 2>/dev/null &
watcher=$!
exec 0</dev/null 3<&-
while :; do
  wait "$server"; code=$?
  kill -0 "$server" 2>/dev/null || break
done
kill -s USR1 "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$code"
`;

/** One turn of the script's waiting loop. */
const TICK_MS = 50;

/**
 * Starts a command under a guardian. Resolves when the process exists, which is not yet when it is ready to serve.
 * @throws EmbeddedServiceError when it could not be started at all.
 */
export async function startGuarded(spec: GuardedCommand): Promise<Guarded> {
  const child = spawnGuardian(spec);
  const pipe = child.stdin as Writable;
  // Writing fails when the guardian is gone, and then there is nobody left to tell.
  pipe.on('error', () => undefined);
  let ended = false;
  const exited = endOf(child).then((reason) => {
    ended = true;
    return reason;
  });
  const pid = await Promise.race([firstNumber(child.stdout as Readable), exited]);
  if (typeof pid === 'string') throw new EmbeddedServiceError(`${spec.command[0]} could not be started: it ${pid}`);
  return {
    pid,
    exited,
    hasExited: () => ended,
    async stop() {
      pipe.destroy();
      await exited;
    },
  };
}

function spawnGuardian(spec: GuardedCommand): ChildProcess {
  const ticks = String(Math.ceil(spec.stopLimitMs / TICK_MS));
  const start = asUser(spec.user, ['/bin/sh', '-c', SCRIPT, GUARDIAN_NAME, spec.stopSignal, ticks, spec.folder, ...spec.command]);
  return spawn(start.program, start.arguments, {
    ...start.identity,
    cwd: spec.folder,
    env: spec.environment,
    detached: true,
    stdio: ['pipe', 'pipe', spec.log.descriptor],
  });
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`failed: ${error.message}`));
    // Not 'exit', which may come before the pid has been read.
    child.once('close', (code, signal) => resolve(inWords(code, signal)));
  });
}

/** A shell reports a child that died of signal n as exit code 128 + n. */
function inWords(code: number | null, signal: NodeJS.Signals | null): string {
  if (code === null) return `was ended by ${signal}`;
  return code > 128 ? `was ended by signal ${code - 128}` : `ended with code ${code}`;
}

/** The script's one line of output: the pid of the server. */
function firstNumber(stream: Readable): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(Number(text));
    });
  });
}
