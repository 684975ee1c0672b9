import { spawn } from 'node:child_process';

/** What an installation step could not do: what was tried, what came of it, what to do. */
export class InstallError extends Error {}

export function say(text) {
  console.log(`paynotify: ${text}`);
}

/** Long steps say every so often that they are alive. */
const HEARTBEAT_MS = 10_000;
/** From then on they say as well what they may be waiting for. */
const PATIENCE_MS = 120_000;
const TAIL_MAX_LINES = 15;

/**
 * Runs a command to its end. Its output is kept back and only `excerpt` of it (by default its end) is shown, and only when
 * it fails. `remedy` is what to do then, in words or made from the excerpt; empty where nothing can be said. `doubt` is
 * what to look at when it takes far too long.
 * Resolves with all of the output; throws InstallError naming the command.
 */
export async function run(command, options) {
  return (await complete(command, options)).output;
}

/** Like `run`, for what a program answers on its standard output, without what it complains of beside. */
export async function answerOf(command, options) {
  return (await complete(command, options)).stdout.trim();
}

async function complete(command, { title, remedy, cwd, env = process.env, excerpt = endOf, doubt = '' }) {
  const started = Date.now();
  const heartbeat = title && setInterval(() => sayStillAt(title, Date.now() - started, doubt), HEARTBEAT_MS);
  if (title) say(`${title} ...`);
  const { code, output, stdout } = await execute(command, { cwd, env });
  clearInterval(heartbeat);
  if (code === 0) return { output, stdout };
  const shown = excerpt(output);
  const advice = typeof remedy === 'string' ? remedy : remedy(shown);
  const parts = [`this was tried and failed (${code}):\n    ${command.join(' ')}`, shown.map((line) => `    ${line}`).join('\n'), advice];
  throw new InstallError(parts.filter((part) => part !== '').join('\n\n'));
}

function sayStillAt(title, elapsedMs, doubt) {
  say(`${title} ... ${Math.round(elapsedMs / 1000)} s${elapsedMs >= PATIENCE_MS ? doubt : ''}`);
}

function endOf(output) {
  return output.trimEnd().split('\n').slice(-TAIL_MAX_LINES);
}

/** Whether a command succeeds; its output is of no interest. */
export async function succeeds(command) {
  return (await execute(command, {})).code === 0;
}

function execute([program, ...args], { cwd, env }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, stdout] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk));
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: error.code, output: error.message, stdout: '' }));
    child.on('close', (code, signal) => resolve({ code: code ?? signal, output, stdout }));
  });
}
