import { gzipSync } from 'node:zlib';
import type { Random } from '../../harness/random.ts';
import type { SentRequest } from './sent-request.ts';

/** Changes a request; `other` is another genuine one, to take parts from. */
export type Mutation = (request: SentRequest, random: Random, other: SentRequest) => SentRequest;

/** What the server lets through: a longer body is refused by it, a longer header by Node. */
const BODY_SIZE_MAX = 64 * 1024;
const HEADER_SIZE_MAX = 16 * 1024;

const body = (change: (bytes: Buffer, random: Random, other: Buffer) => Buffer): Mutation => (request, random, other) => ({
  ...request,
  body: change(request.body, random, other.body).subarray(0, BODY_SIZE_MAX),
});
const text = (change: (text: string, random: Random) => string): Mutation => body((bytes, random) => Buffer.from(change(bytes.toString('utf8'), random)));

/** @returns the start and end of a part; never empty unless `length` is 0. */
function range(length: number, random: Random): readonly [number, number] {
  const start = random.below(length);
  return [start, Math.min(length, start + 1 + random.below(1 + Math.floor(length / 4)))];
}

function splice(bytes: Buffer, start: number, end: number, replacement: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), replacement, bytes.subarray(end)]);
}

export const BODY_MUTATIONS: readonly Mutation[] = [
  body((bytes, random) => {
    const changed = Buffer.from(bytes);
    for (let flips = 1 + random.below(3); flips > 0 && changed.length > 0; flips--) {
      const at = random.below(changed.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    }
    return changed;
  }),
  body((bytes, random) => splice(bytes, ...range(bytes.length, random), random.bytes(random.below(8)))),
  body((bytes, random) => splice(bytes, random.below(bytes.length + 1), bytes.length, Buffer.alloc(0))),
  body((bytes, random) => bytes.subarray(random.below(bytes.length + 1))),
  body((bytes, random) => {
    const [start, end] = range(bytes.length, random);
    return splice(bytes, end, end, bytes.subarray(start, end));
  }),
  body((bytes, random, other) => splice(bytes, ...range(bytes.length, random), other.subarray(...range(other.length, random)))),
  body((_bytes, _random, other) => other),
  body(() => Buffer.alloc(0)),
  body((bytes, random) => Buffer.concat([bytes, Buffer.from(random.pick([' ', '\n', '\r\n', '\t', '\0', '&', '{}', '\ufeff', '.', ',']))])),
  body((bytes, random) => Buffer.concat([Buffer.from(random.pick([' ', '\n', '\ufeff', '\0', '&', '.', '[', '1.'])), bytes])),
  body((bytes, random) => Buffer.from(bytes.toString('utf8'), random.pick(['utf16le', 'latin1'] as const))),
  body((bytes) => gzipSync(bytes, { level: 1 })),
  body((bytes, random) => Buffer.concat(Array<Buffer>(2 + random.below(200)).fill(bytes))),
  body((_bytes, random) => Buffer.from(random.pick(['a', '&', '&a=', '[', '{"a":', '%', '%41', '+', ' ', '"', '\\', '\u00e9', '1.']).repeat(BODY_SIZE_MAX))),
  text((content, random) => content.replace(random.pick([/\d/, /\d(?=\D*$)/, /1999|19\.99/, /SUCCESS|succeeded/, /[A-Z]/]), () => random.pick(['0', '9', '00', '-1', 'x', '']))),
  text((content, random) => (random.chance(0.5) ? content.toUpperCase() : content.toLowerCase())),
  text((content, random) => content.normalize(random.pick(['NFC', 'NFD', 'NFKC', 'NFKD'] as const))),
];

const HEADER_JUNK = ['', ' ', ',', ';', '=', '\t', '\u00e9', '\0', '0', 'null', '-1', '1e9', '0x10', 'whsec_', 'v1,', 'v1=', 't=', '__proto__'];

function anyHeader({ headers }: SentRequest, random: Random): SentRequest['headers'][number] {
  return headers.length === 0 ? ['x-none', ''] : random.pick(headers);
}

function editHeader(change: (value: string, random: Random, others: readonly string[]) => string): Mutation {
  return (request, random, other) => {
    const at = random.below(request.headers.length);
    const others = other.headers.map(([, value]) => value);
    return { ...request, headers: request.headers.map(([name, value], index) => [name, index === at ? change(value, random, others).slice(0, HEADER_SIZE_MAX) : value]) };
  };
}

function editText(value: string, random: Random): string {
  const at = random.below(value.length + 1);
  switch (random.below(6)) {
    case 0:
      return value.slice(0, at);
    case 1:
      return value.slice(at);
    case 2:
      return value.slice(0, at) + value.slice(at + 1);
    case 3:
      return value.slice(0, at) + String.fromCharCode(0x20 + random.below(0x5f)) + value.slice(at + 1);
    case 4:
      return value.slice(0, at) + random.pick(HEADER_JUNK) + value.slice(at);
    default:
      return value.slice(0, at) + String.fromCharCode(random.below(256)) + value.slice(at);
  }
}

/** The same value in another form: what a lenient parser would take for it. */
function respell(value: string, random: Random): string {
  return random.pick<(text: string) => string>([
    (text) => text.toUpperCase(),
    (text) => text.toLowerCase(),
    (text) => ` ${text}`,
    (text) => `${text} `,
    (text) => `"${text}"`,
    (text) => `0${text}`,
    (text) => `+${text}`,
    (text) => `${text}.0`,
    (text) => `${text}e0`,
    (text) => `${text}\n`,
    (text) => text.replaceAll('+', '-').replaceAll('/', '_'),
    (text) => text.replace(/=+$/, ''),
    (text) => `${text}=`,
    (text) => `${text}====`,
    (text) => text.replace(/([A-Za-z0-9+/])(={0,2})$/, (_all, last: string, pad: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}${pad}`),
    (text) => text.replace(/.{8}/, '$&\r\n'),
    (text) => encodeURIComponent(text),
    (text) => Buffer.from(text, 'base64').toString('hex'),
    (text) => Buffer.from(text, 'hex').toString('base64'),
    (text) => `${text}, ${text}`,
    (text) => `${text},${text}`,
    (text) => `${text} ${text}`,
    (text) => text.replace('v1', 'v1a'),
    (text) => text.replace('v1', 'v0'),
    (text) => text.replace('v1', 'V1'),
    (text) => text.replace(/v1([,=])/, 'v1$1,'),
    (text) => text.replace(/\d+/, (digits) => String(BigInt(digits) + BigInt(random.below(3) - 1))),
  ])(value);
}

export const HEADER_MUTATIONS: readonly Mutation[] = [
  (request, random) => ({ ...request, headers: request.headers.toSpliced(random.below(request.headers.length), 1) }),
  (request, random) => ({ ...request, headers: [...request.headers, anyHeader(request, random)] }),
  (request, random, other) => ({ ...request, headers: [...request.headers, anyHeader(other, random)] }),
  (request, random, other) => ({ ...request, headers: [anyHeader(other, random), ...request.headers] }),
  (request, random) => ({ ...request, headers: [...request.headers, [anyHeader(request, random)[0], random.pick(HEADER_JUNK)]] }),
  (request, random) => ({ ...request, headers: request.headers.map(([name, value]) => [random.chance(0.5) ? name.toUpperCase() : name, value]) }),
  (request, random) => ({ ...request, headers: request.headers.map(([name, value]) => [random.chance(0.3) ? `x-${name}` : name, value]) }),
  (request) => ({ ...request, headers: request.headers.toReversed() }),
  (request, _random, other) => ({ ...request, headers: other.headers }),
  (request) => ({ ...request, headers: [] }),
  editHeader((value, random, others) => random.pick([...others, value])),
  editHeader((value, random) => editText(value, random)),
  editHeader((value, random) => editText(value, random)),
  editHeader((value, random) => respell(value, random)),
  editHeader((value, random) => respell(value, random)),
  editHeader((value, random) => value.repeat(2 + random.below(100))),
  editHeader((value, random) => `${value}${random.pick(['A', ' ', ',', 'v1,', ',v1=', ' v1,AAAA', '=', 'a,'])}`.repeat(HEADER_SIZE_MAX)),
  editHeader((value, random) => random.pick([`${value} `, `${value},`]) + random.pick([' v1,', 'v1=', '']) + random.bytes(32).toString(random.pick(['base64', 'hex'] as const))),
];
