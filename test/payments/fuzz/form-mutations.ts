import type { Random } from '../../harness/random.ts';
import type { Mutation } from './mutations.ts';

/** Changes of a form: some are only another spelling of the same parameters, most are not. */
type Parts = readonly string[];

const parts = (change: (parts: Parts, random: Random, others: Parts) => Parts): Mutation => (request, random, other) => ({
  ...request,
  body: Buffer.from(change(split(request.body), random, split(other.body)).join('&'), 'latin1'),
});

function split(body: Buffer): Parts {
  return body.toString('latin1').split('&');
}

const edit = (change: (name: string, value: string, random: Random) => string): Mutation =>
  parts((all, random) => {
    const at = random.below(all.length);
    return all.map((part, index) => {
      if (index !== at) return part;
      const equals = part.indexOf('=');
      return change(part.slice(0, Math.max(0, equals)), part.slice(equals + 1), random);
    });
  });

const escapeAll = (text: string, isUpper: boolean): string =>
  [...Buffer.from(text, 'latin1')].map((byte) => `%${isUpper ? byte.toString(16).padStart(2, '0').toUpperCase() : byte.toString(16).padStart(2, '0')}`).join('');

/** The same parameters, for whoever decodes them once. */
const SPELLINGS: readonly Mutation[] = [
  parts((all, random) => all.toSorted(() => random.next() - 0.5)),
  edit((name, value) => `${name}=${value.replaceAll('+', '%20')}`),
  edit((name, value) => `${name}=${value.replaceAll('%20', '+').replaceAll('%2A', '*')}`),
  edit((name, value) => `${name}=${value.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())}`),
  edit((name, value, random) => `${name}=${value.replace(/[A-Za-z0-9]/, (char) => escapeAll(char, random.chance(0.5)))}`),
  edit((name, value) => `${name.replace(/[a-z]/, (char) => escapeAll(char, true))}=${value}`),
];

/** Other parameters under the same signed text, or names and values that a lenient parser repairs. */
const FORGERIES: readonly Mutation[] = [
  // A parameter that becomes part of the value of its neighbour, and the other way round.
  parts((all, random) => {
    const at = random.below(Math.max(1, all.length - 1));
    return [...all.slice(0, at), `${all[at]}%26${(all[at + 1] ?? '').replace('=', '%3D')}`, ...all.slice(at + 2)];
  }),
  edit((name, value, random) => `${name}=${value}%26${random.pick(['total_amount', 'a', 'trade_status'])}%3D${random.pick(['0.01', 'TRADE_SUCCESS', ''])}`),
  edit((name, value) => `${name}=${value.replaceAll('%26', '&').replaceAll('%3D', '=')}`),
  edit((name, value) => `${name}%3D${value}`),
  parts((all, random) => [...all, random.pick(all)]),
  parts((all, random, others) => [...all, random.pick(others)]),
  parts((all, random, others) => [random.pick(others), ...all]),
  parts((all, random) => [...all, random.pick(['total_amount=0.01', 'total%5Famount=0.01', 'total_amount[]=1', 'x=1', '=1', 'x', '', '__proto__=1', 'sign=', 'sign_type=RSA', 'charset=GBK', 'constructor=1', 'sign_type=', 'a;b=1'])]),
  parts((all, random) => all.filter((_part, index) => index !== random.below(all.length))),
  parts((all, random) => all.map((part) => (part.startsWith('sign_type=') ? `sign_type=${random.pick(['RSA', 'rsa2', 'RSA2%00', '', 'RSA2+', 'MD5', 'HMAC', 'RSA2,RSA2'])}` : part))),
  parts((all, random) => all.map((part) => (part.startsWith('charset=') ? `charset=${random.pick(['GBK', 'gb2312', 'UTF-8', 'utf8', 'utf-16', ''])}` : part))),
  parts((all, random, others) => {
    const sign = random.pick([others.find((part) => part.startsWith('sign=')) ?? '', 'sign=', 'sign=AAAA', `sign=${random.bytes(256).toString('base64url')}`, `sign=${encodeURIComponent(random.bytes(256).toString('base64'))}`]);
    return all.map((part) => (part.startsWith('sign=') ? sign : part));
  }),
  parts((all, random) => all.map((part) => (part.startsWith('sign=') ? respellSign(part, random) : part))),
  edit((name, value, random) => `${name}=${value}${random.pick(['%', '%4', '%zz', '%FF', '%C0%80', '%ED%A0%80', '%00', '%0A', '+', '%20', '%EF%BB%BF', '\u00e9', ';', '#', '"'])}`),
  edit((name, value) => `${name}=${encodeURIComponent(value)}`),
  edit((name, value) => `${encodeURIComponent(encodeURIComponent(name))}=${encodeURIComponent(value)}`),
  edit((name, value, random) => `${random.pick([`${name}+`, `+${name}`, `${name}[]`, name.toUpperCase(), `${name}%00`])}=${value}`),
  edit((name, value, random) => `${name}=${random.pick(['19.99', '0.01', 'TRADE_CLOSED', '', value.replace('19.99', '1.99'), value.replace('.', '%2E%30')])}`),
  (request, random) => ({ ...request, body: Buffer.from(request.body.toString('latin1').replaceAll('&', random.pick([';', '&&', '&amp;', '\n', '%26']))) }),
];

function respellSign(part: string, random: Random): string {
  const text = new URLSearchParams(part).get('sign') ?? '';
  const other = random.pick<string>([
    text.replaceAll('+', '-').replaceAll('/', '_'),
    text.replaceAll('+', ' '),
    text.replace(/=+$/, ''),
    `${text}\n`,
    ` ${text}`,
    `${text}====`,
    text.replace(/.{76}/, '$&\n'),
    // Spare bits of the last character: the same bytes for a lenient decoder.
    text.replace(/(.)(=+)$/, (_all, last: string, pad: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}${pad}`),
    Buffer.from(text, 'base64').toString('hex'),
    Buffer.from(text, 'base64').subarray(1).toString('base64'),
    Buffer.concat([Buffer.alloc(1), Buffer.from(text, 'base64')]).toString('base64'),
  ]);
  return `sign=${encodeURIComponent(other)}`;
}

export const FORM_MUTATIONS: readonly Mutation[] = [...SPELLINGS, ...FORGERIES];
