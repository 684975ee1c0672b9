/*
 * Connection URLs are judged before any client sees them. What does not pass here would be refused only by whoever
 * connects, with an error or a warning that quotes the text, password included, or would be read otherwise than it is meant:
 * a `/`, `?` or `#` in a password ends the address there, and what is before it is looked for as a host; the event store's
 * client cuts a password at `:`. What is said of a bad one names the rule and never a part of the text.
 */
const TOLD_APART =
  'must be a URL whose parts can be told apart: in a user name or password, write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for % and so on';

/** Pure. @returns what is wrong, as the end of a sentence that begins with the variable's name; null when nothing is. */
export function urlProblem(text: string, schemes: readonly string[]): string | null {
  const scheme = /^([a-z+]+):\/\/./.exec(text)?.[1];
  if (scheme === undefined || !schemes.includes(scheme)) return `must be a URL that begins with ${schemes.map((name) => `${name}://`).join(' or ')}`;
  const [, authority = '', rest = ''] = /^[^/]+:\/\/([^/?#]*)(.*)$/s.exec(text) ?? [];
  const [, path = '', query = ''] = /^([^?]*)(?:\?(.*))?$/s.exec(rest) ?? [];
  if (/[@#]/.test(path) || !isToldApart(query, authority) || authority.split('@').length > 2 || /\s/.test(text) || !isEncoded(authority) || !isEncoded(path)) return TOLD_APART;
  if (/(?:^|@)(?::\d*)?$/.test(authority) && !namesSocket(scheme, query)) return 'must be a URL that names a host behind user and password';
  if (scheme.startsWith('esdb')) return eventStoreProblem(authority, rest);
  return URL.canParse(withHost(text)) ? null : TOLD_APART;
}

/** An `@` in an option is one when another has ended the password before it, and what it is in reads as options. */
function isToldApart(query: string, authority: string): boolean {
  if (query.includes('#')) return false;
  return !query.includes('@') || (authority.includes('@') && query.split('&').every((pair) => /^[\w.-]+=/.test(pair)));
}

/** PostgreSQL's own URLs may leave the host to an option: `postgresql://user@/database?host=/var/run/postgresql`. */
function namesSocket(scheme: string, query: string): boolean {
  return scheme.startsWith('postgres') && /(?:^|&)host=[^&]/.test(query);
}

/** For parsers of URLs, which know no user without a host. The clients take that of the options then. */
export function withHost(text: string): string {
  return text.replace(/^([^/]+:\/\/[^/?#]*@)(?=[/?])/, '$1localhost');
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Several hosts by comma, which no URL parser knows; and no addresses of IPv6, which its client does not know. */
const EVENT_STORE_AUTHORITY = /^(?:[^:@]+:[^:@]+@)?[a-z0-9._-]+(?::\d{1,5})?(?:,[a-z0-9._-]+(?::\d{1,5})?)*$/i;

/** Of client 6.2.1 (dist/Client/parseConnectionString.js), which takes them in any case: it prints the whole text for every other one. */
const EVENT_STORE_OPTIONS = [
  'connectionName', 'defaultDeadline', 'discoveryInterval', 'gossipTimeout', 'keepAliveInterval', 'keepAliveTimeout', 'maxDiscoverAttempts', 'nodePreference', 'throwOnAppendFailure', 'tls', 'tlsCAFile', 'tlsVerifyCert',
  'userCertFile', 'userKeyFile',
];
const KNOWN = new Set(EVENT_STORE_OPTIONS.map(nameOf));

function eventStoreProblem(authority: string, rest: string): string | null {
  if (!EVENT_STORE_AUTHORITY.test(authority)) return TOLD_APART;
  const [, options = ''] = /^\/?(?:\?(.+))?$/s.exec(rest) ?? [null, '='];
  const pairs = options === '' ? [] : options.split('&').map((pair) => pair.split('='));
  if (!pairs.every(([key = '', value = '', ...more]) => more.length === 0 && value !== '' && KNOWN.has(nameOf(key)))) {
    return `must end behind the hosts, or with options of the client, ?key=value&key=value, of which there are ${EVENT_STORE_OPTIONS.join(', ')}`;
  }
  if (pairs.some(([key = '', value]) => nameOf(key) === 'tlsverifycert' && value === 'false')) return 'has the option tlsVerifyCert=false, which its client does not support: name the certificate authority by tlsCAFile';
  return null;
}

function nameOf(option: string): string {
  return option.toLowerCase().replaceAll(/[_-]/g, '');
}
