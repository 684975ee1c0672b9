import { readFileSync, readlinkSync } from 'node:fs';

/** Somebody wants this process to end: a person, a service manager, or the terminal that is being closed. */
export interface StopRequest {
  /** Aborted by the first signal, whose name is the reason. */
  readonly signal: AbortSignal;
}

/** A second signal means: now. What was in flight is repeated by the next start. */
const EXIT_BY_FORCE = 130;

/** npm passes on the Ctrl-C that a terminal has sent to us as well: what comes so soon after the first is no second one. */
const ECHO_MAX_MS = 1_000;

/**
 * From here on a signal is an orderly stop, also of a start that is under way. SIGHUP is what a terminal sends that is
 * closed, and is ignored behind nohup, which is there for that.
 */
export function listenForStop(): StopRequest {
  const stopping = new AbortController();
  let stoppingSinceMs = 0;
  const stop = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted && performance.now() - stoppingSinceMs > ECHO_MAX_MS) process.exit(EXIT_BY_FORCE);
    if (stopping.signal.aborted) return;
    stoppingSinceMs = performance.now();
    stopping.abort(name);
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', isHangupIgnored() ? () => undefined : stop);
  return { signal: stopping.signal };
}

/**
 * Node forgets at its start which signals were to be ignored, and npm is Node too, so nobody can be asked. Two traces are
 * left: nohup exchanges an input that is a terminal for /dev/null opened for writing only, as nobody else does; and a
 * shell that ignores the signal itself (`nohup sh -c …`, `trap '' HUP`) is our parent.
 */
function isHangupIgnored(): boolean {
  return isInputOfNohup() || isIgnoredBy(process.ppid);
}

const OPEN_MODE = 0o3;
const WRITE_ONLY = 0o1;

function isInputOfNohup(): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(textOf('/proc/self/fdinfo/0'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & OPEN_MODE) === WRITE_ONLY && linkOf('/proc/self/fd/0') === '/dev/null';
}

/** The lowest bit of the mask is signal 1, SIGHUP. */
function isIgnoredBy(pid: number): boolean {
  const lowestDigit = /^SigIgn:\s*[0-9a-f]*([0-9a-f])$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? '0';
  return (Number.parseInt(lowestDigit, 16) & 1) === 1;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
