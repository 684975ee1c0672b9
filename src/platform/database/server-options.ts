/** The parameter `options` of a connection URL, as the server itself would read it at the start of a session. */
export interface ServerOptions {
  /** Setting → value, of `-c name=value` and `--name=value`. */
  readonly values: Readonly<Record<string, string>>;
  /** Switches that are no settings, as they were written. Only the start of a session takes them. */
  readonly rest: string;
}

/** Pure. Blanks separate; a backslash takes the next character as it is. */
export function parseServerOptions(options: string): ServerOptions {
  const words = options.match(/(?:\\[^]|[^\\\s])+/g) ?? [];
  const values: Record<string, string> = {};
  const rest: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] === '-c' ? `-c${words[++index] ?? ''}` : (words[index] ?? '');
    const [, name, value] = /^(?:-c|--)([\w.-]+)=([^]*)$/.exec(word) ?? [];
    if (name === undefined || value === undefined) rest.push(word);
    else values[name.replaceAll('-', '_')] = value.replace(/\\([^])/g, '$1');
  }
  return { values, rest: rest.join(' ') };
}
