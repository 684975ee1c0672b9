/**
 * The line of a server's output that names why it did not start. It is seldom the last one: PostgreSQL ends with what
 * followed from it ("could not create any TCP/IP sockets"), Erlang with stacks.
 */
const CAUSE_LENGTH_MAX = 500;
/** Of a longer line only the beginning is searched: whatever a rule costs per character, it stays bounded. */
const LINE_LENGTH_MAX = 1_000;

/** In order of worth: the first rule that matches any line decides, and of its lines the first. */
const RULES: readonly RegExp[] = [
  // RabbitMQ, on a folder of another release.
  /feature flag.*(?:not enabled|unsupported|unknown)|disabled_(?:required|mandatory)_feature_flag/i,
  // PostgreSQL, in front of a last line that only says that there were errors.
  /^(?:LOG|WARNING): +(?:could not bind|unrecognized configuration parameter|invalid value for parameter|syntax error in file|parameter ".*" cannot)/,
  /^(?:FATAL|PANIC|initdb: error): +\S/,
  // RabbitMQ's own words, then Erlang's.
  /^ERROR: \S|in use by another node|address already in use|eaddrinuse|no space left|enospc|permission denied|eacces/i,
  /^Error (?:during startup|description):|^Exception during startup:/,
  /\[(?:error|critical)\] <[\d.]+> +(?!BOOT FAILED)[^\s=]/,
  // The shell, and whatever else complains.
  /not found|no such file|cannot|could not|failed|error/i,
];

/** What stands in front of the message itself: a time, a process, and RabbitMQ's level of no more use. */
const PREFIX = /^\d{4}-\d\d-\d\d [\d:.+]+(?: [A-Z]{3})? (?:\[\d+\] |(?=\[))/;
const LEVEL = /^\[\w+\] <[\d.]+>(?: +|$)/;
/** What RabbitMQ writes around its reason; it writes to two places at once, so that either may stand between the other's lines. */
const AROUND = /^(?:|BOOT FAILED|=+|Exception during startup:|Error during startup:)$/;

/** Pure. One line; the last one when none names a cause, '' when there is no output. */
export function causeOfEnd(output: string): string {
  const lines = output.split('\n').map((line) => line.slice(0, LINE_LENGTH_MAX).replace(PREFIX, '').trim()).filter((line) => line !== '');
  const rule = RULES.find((candidate) => lines.some((line) => candidate.test(line)));
  const at = rule === undefined ? lines.length - 1 : lines.findIndex((line) => rule.test(line));
  return withDetail(lines, at).slice(0, CAUSE_LENGTH_MAX);
}

/** PostgreSQL adds what it found in a line of its own, and RabbitMQ begins a new one after a colon. */
function withDetail(lines: readonly string[], at: number): string {
  const [line = '', ...behind] = lines.slice(at).map((text) => text.replace(LEVEL, ''));
  if (behind[0]?.startsWith('DETAIL:') === true) return `${line} (${behind[0].replace(/^DETAIL: +/, '')})`;
  return line.endsWith(':') ? `${line} ${behind.find((text) => !AROUND.test(text)) ?? ''}` : line;
}
