import { describe, expect, it } from 'vitest';
import { MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PublishedEventType } from '../../src/contracts/payment-messages.ts';
import { parseMessage } from '../../src/platform/consumer/parse-message.ts';
import { createRandom, seedOfRun, type Random } from '../harness/random.ts';
import { asyncApi, payloadCheck, type Fields } from './asyncapi-document.ts';

/*
 * The schema in the document and the checks in parse-message.ts are two texts of one contract. Certain: they accept the
 * same messages. Not in the schema, because it cannot say so: the length in bytes, the largest position, and that the
 * message id is the event id.
 */
const BEYOND_THE_SCHEMA = /must be at most 1024 bytes$|^id must be a log position/;

const TYPES = Object.keys(MESSAGE_TYPES) as PublishedEventType[];
const CHECKS = TYPES.map(payloadCheck);
const EXAMPLES = TYPES.flatMap((type) => asyncApi.components.messages[type]!.examples.map(({ payload }) => ({ type, payload })));

interface Verdicts {
  readonly schema: boolean;
  readonly parser: boolean;
  readonly reason: string;
}

function judge(payload: Fields): Verdicts {
  // Over the wire and back; the parser alone reads older versions.
  const body = JSON.parse(JSON.stringify(payload)) as Fields;
  const { schemaVersion = 1 } = body;
  const current = schemaVersion === 1 || schemaVersion === 2 ? upToDate(body) : body;
  const parsed = parseMessage(Buffer.from(JSON.stringify(payload)), body['eventId'] as string);
  return { schema: CHECKS.some((check) => check(current).length === 0), parser: 'message' in parsed, reason: 'message' in parsed ? '' : parsed.unparseable };
}

/** As the document says that older versions differ. */
function upToDate(body: Fields): Fields {
  const { payment } = body;
  const isRefund = body['type'] === 'PaymentRefunded' && typeof payment === 'object' && payment !== null && !Array.isArray(payment);
  return { ...body, schemaVersion: MESSAGE_SCHEMA_VERSION, ...(isRefund ? { payment: { ...payment, refundDue: '0' } } : {}) };
}

const BOTH_REFUSE = { schema: false, parser: false };
const paymentOf = (payload: Fields): Fields => payload['payment'] as Fields;
const change = (payload: Fields, name: string, value: unknown): Fields =>
  name.startsWith('payment.') ? { ...payload, payment: { ...paymentOf(payload), [name.slice(8)]: value } } : { ...payload, [name]: value };

const FIELDS = EXAMPLES.flatMap(({ type, payload }) =>
  [...Object.keys(payload), ...Object.keys(paymentOf(payload)).map((name) => `payment.${name}`)].map((name) => ({ type, payload, name })),
);

describe('schema and parser alike', () => {
  it.each(EXAMPLES)('accept $type', ({ payload }) => {
    expect(judge(payload)).toEqual({ schema: true, parser: true, reason: '' });
  });

  // A message without a version is one of version 1, which only the parser reads; one without a generation is of the first.
  it.each(FIELDS.filter(({ name }) => name !== 'schemaVersion' && name !== 'generation'))('refuse $type without $name', ({ payload, name }) => {
    expect(judge(change(payload, name, undefined))).toMatchObject(BOTH_REFUSE);
  });

  it.each(FIELDS)('refuse $type with another type of value as $name', ({ payload, name }) => {
    for (const value of [name === 'generation' ? '7' : 7, true, [], {}]) expect(judge(change(payload, name, value))).toMatchObject(BOTH_REFUSE);
  });

  it.each(EXAMPLES)('accept $type with fields that are new and optional', ({ payload }) => {
    expect(judge({ ...change(payload, 'payment.tenant', 't'), tenant: 1 })).toMatchObject({ schema: true, parser: true });
  });

  it.each(TYPES)('refuse a $0 that calls itself by the word of another type', (type) => {
    const { payload } = EXAMPLES.find((example) => example.type === type)!;
    for (const other of TYPES.filter((name) => name !== type)) expect(judge({ ...payload, messageType: MESSAGE_TYPES[other] })).toMatchObject(BOTH_REFUSE);
  });
});

/** Near what is right, and near what is wrong. */
const VALUES: readonly unknown[] = [
  undefined, null, true, 0, 1, 2, 3, -1, 1.5, '', '0', '1', '1999', '007', '-1', '1.5', '1e3', ' 1', '1\n', '9'.repeat(18), '9'.repeat(19), '9'.repeat(20),
  '9223372036854775807', '9223372036854775808', 'x', 'P-1', 'a b', 'x'.repeat(1024), 'x'.repeat(1025), '\u4e2d'.repeat(341), '\u4e2d'.repeat(342), '\u{1f600}'.repeat(256),
  '\u{1f600}'.repeat(1025), 'a\0b', '\ud800', '\udc00x', '\u{1f600}', 'CNY', 'cny', 'CNYX', 'US', '\u0421NY', '60201', '60202', '60203', [], ['x'], {}, { payNo: 'P1' },
  '2026-11-24T07:30:00.000Z', '2026-11-24T07:30:00Z', '2026-11-24T07:30:00', '2026-11-24T07:30:00+08:00', '2026-11-24t07:30:00z', '2026-11-24 07:30:00Z', '2026-11-24',
  '2026-02-29T00:00:00Z', '2028-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2000-02-29T00:00:00Z', '2026-04-31T00:00:00Z', '2026-01-31T00:00:00Z', '2026-13-01T00:00:00Z',
  '2026-00-10T00:00:00Z', '2026-01-00T00:00:00Z', '2026-01-32T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T23:59:60Z', '2026-01-01T23:60:00Z', '0000-02-29T00:00:00Z',
  '2026-01-01T00:00:00.Z', '2026-01-01T00:00:00.123456789Z', '2026-01-01T00:00:00.1234567890Z', '2026-01-01T00:00:00Z\n', '+012026-01-01T00:00:00Z',
  '0b5f8c1e-2f5e-5e1c-9d2b-6b1c0f6c8a11', '0B5F8C1E-2F5E-5E1C-9D2B-6B1C0F6C8A11', '0b5f8c1e2f5e5e1c9d2b6b1c0f6c8a11', '{0b5f8c1e-2f5e-5e1c-9d2b-6b1c0f6c8a11}',
  ...TYPES, ...Object.values(MESSAGE_TYPES), 'PaymentRequested', 'toString', '__proto__',
];

const NAMES = [...new Set(FIELDS.map(({ name }) => name))].filter((name) => name !== 'payment');

function mutated(random: Random): Fields {
  let { payload } = random.pick(EXAMPLES);
  for (let changes = 1 + random.below(3); changes > 0; changes--) payload = change(payload, random.pick(NAMES), random.pick(VALUES));
  return payload;
}

const CASES = 40_000;

it(`judge ${CASES} mutated messages alike`, () => {
  const seed = seedOfRun();
  const random = createRandom(seed);
  const seen = { accepted: 0, refused: 0, beyond: 0 };
  for (let n = 0; n < CASES; n++) {
    const payload = mutated(random);
    const { schema, parser, reason } = judge(payload);
    if (schema && !parser && BEYOND_THE_SCHEMA.test(reason)) seen.beyond++;
    else if (schema !== parser) expect({ schema, parser, reason, payload }, `seed ${seed}`).toEqual({ schema, parser: schema, reason, payload });
    else seen[parser ? 'accepted' : 'refused']++;
  }
  // Neither side of the contract may be empty.
  expect(seen.accepted).toBeGreaterThan(CASES / 50);
  expect(seen.refused).toBeGreaterThan(CASES / 2);
  expect(seen.beyond).toBeGreaterThan(0);
});
