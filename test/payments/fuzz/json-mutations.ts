import type { Random } from '../../harness/random.ts';
import type { Mutation } from './mutations.ts';

/** The same document in other bytes, or another document: neither is what was signed. */
type Json = Record<string, unknown>;

const document = (change: (value: Json, random: Random, text: string) => string): Mutation => (request, random) => {
  const text = request.body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // An earlier change of the same case has broken it.
    return request;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return request;
  return { ...request, body: Buffer.from(change(value as Json, random, text)) };
};

export const JSON_MUTATIONS: readonly Mutation[] = [
  document((value) => JSON.stringify(value, null, 2)),
  document((value) => JSON.stringify(Object.fromEntries(Object.entries(value).toReversed()))),
  document((_value, random, text) => text.replace(/[a-zA-Z]/g, (char) => (random.chance(0.1) ? `\\u00${char.charCodeAt(0).toString(16)}` : char))),
  document((_value, random, text) => text.replace(/^\{/, `{${random.pick(['"type":"payment.succeeded",', '"id":"x",', '"__proto__":{},', '"data":{},', '"livemode":true,'])}`)),
  document((_value, random, text) => text.replace(/\}$/, `${random.pick([',"type":"x"', ',"data":{"amount":"1"}', ',"account":"acct_x"', ',"x":1'])}}`)),
  document((_value, random, text) => text.replaceAll('1999', random.pick(['1999.0', '1.999e3', '01999', '19990', '1', '-1999', '"1999"']))),
  document((_value, _random, text) => text.replaceAll('"p1"', '"p2"').replaceAll('t1', 't2')),
  document((value) => JSON.stringify({ ...value, data: [value.data] })),
  document((value) => JSON.stringify([value])),
];
