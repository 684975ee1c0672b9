/** How finished lines are written. Pure; takes and gives one line with its break. */
export type ShowLine = (line: string) => string;

export const asJson: ShowLine = (line) => line;

/** Of pino. */
const LEVELS: Readonly<Record<number, string>> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };

/**
 * A line of the log for a person: time of day (UTC), level, event, the rest as name=value, and stacks line by line. It is
 * given what was redacted already, and is a handful of replacements, because a library for it would be as large as the logger.
 * What is in a text stays a text: nothing in it moves a cursor or turns the direction of reading.
 */
export const readable: ShowLine = (line) => {
  const fields = parse(line);
  if (fields === null) return line;
  const { level, time, event, msg, err, ...rest } = fields;
  const { stack, message, ...about } = isObject(err) ? err : { message: err };
  const told = { ...rest, ...(err === undefined ? {} : { err: message, ...prefixed(about) }) };
  // The logger repeats an error's message as that of the line.
  const said = typeof message === 'string' && message.startsWith(String(msg)) ? undefined : msg;
  const head = [`${String(time).slice(11, 23)}Z`, (LEVELS[Number(level)] ?? String(level)).padEnd(5), event, said].filter((part) => typeof part === 'string').map(visible);
  const stackLines = typeof stack === 'string' ? stack.split('\n').map((one) => `\n    ${visible(one)}`) : [];
  return `${[...head, ...Object.entries(told).map(([name, value]) => `${visible(name)}=${shown(value)}`)].join(' ')}${stackLines.join('')}\n`;
};

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function prefixed(about: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(about).map(([name, value]) => [`err.${name}`, value]));
}

function shown(value: unknown): string {
  const isPlain = typeof value === 'string' && value !== '' && !/[\s"=\\]/.test(value);
  return visible(isPlain ? value : JSON.stringify(value));
}

/** Controls, line separators, and marks that turn the direction, as their number. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (mark) => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`);
}
