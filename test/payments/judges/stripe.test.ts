import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import type { Notification } from '../../../src/contracts/payment-notifications.ts';
import type { ProviderAccount, Verification } from '../../../src/modules/payments/providers/provider.ts';
import { stripe } from '../../../src/modules/payments/providers/stripe.ts';
import { createRandom, seedOfRun, type Random } from '../../harness/random.ts';
import { stripeEvent } from './stripe-events.ts';

/**
 * Stripe's own library as the judge of our verifier, over valid events that are signed by neither. Certain: both believe
 * each of them, and read the same event in it; neither believes an altered one; where they differ is a row of DIFFERENCES,
 * and of the table in docs/PAYMENT_RULES.md. `PAYNOTIFY_TEST_SEED=<seed>` makes the same events again.
 */
const CASES = 600;
const SEED = seedOfRun();
const TOLERANCE_SECONDS = 300;
const NOW_SECONDS = 1_795_500_100;
const NOW = new Date(NOW_SECONDS * 1000);
/** Of the events; the webhooks' own limit is a little more. */
const LARGE_BYTES = 1_000_000;
const CONNECTED_ACCOUNT = 'acct_1Judge';

interface Sent {
  readonly header: string;
  readonly body: Buffer;
  readonly secrets: readonly string[];
}
interface Case extends Sent {
  readonly account: ProviderAccount;
  readonly tells: Readonly<Record<string, unknown>>;
}

const hmac = (secret: string, timestamp: number | string, body: Buffer): string => createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
const newSecret = (random: Random): string => `whsec_${random.bytes(24).toString(random.pick(['base64', 'base64url', 'hex']))}`;

/** What an account that has all of the secrets makes of it. */
function ours(account: ProviderAccount, { header, body }: Pick<Sent, 'header' | 'body'>): Verification {
  return account.verify({ headers: { 'stripe-signature': header }, body }, NOW);
}

/** @returns the event that their library believes under one of the secrets, or its last complaint. */
function theirs({ header, body, secrets }: Sent): unknown {
  let complaint = '';
  for (const secret of secrets) {
    try {
      return Stripe.webhooks.constructEvent(body, header, secret, TOLERANCE_SECONDS, undefined, NOW.getTime());
    } catch (error) {
      complaint = (error as Error).message;
    }
  }
  return complaint;
}

function makeCase(seed: number): Case {
  const random = createRandom(seed);
  const livemode = random.chance(0.5);
  const isConnected = random.chance(0.2);
  // While a secret is rolled, Stripe signs with both; whoever receives has the old one, the new one or both of them.
  const rolled = [newSecret(random), newSecret(random)];
  const secrets = random.pick([[rolled[0]!], [rolled[1]!], rolled]);
  const { event, tells } = stripeEvent(random, { livemode, account: isConnected ? CONNECTED_ACCOUNT : null });
  const isLarge = random.chance(0.02);
  const body = Buffer.from(spelled(random, isLarge ? { ...event, note: random.pick(['学', 'x', '\u0000']).repeat(LARGE_BYTES / 6) } : event));
  const timestamp = NOW_SECONDS + random.below(2 * TOLERANCE_SECONDS + 1) - TOLERANCE_SECONDS;
  const signers = random.chance(0.5) ? secrets : rolled;
  const entries = [...signers.map((secret) => `v1=${hmac(secret, timestamp, body)}`), ...others(random)];
  const header = [`t=${timestamp}`, ...entries.toSorted(() => random.next() - 0.5)].join(',');
  const keys = secrets.map((secret, index) => ({ id: `k${index}`, secret }));
  const account = stripe.readAccount('main', { path: 'account', provider: 'stripe', account: 'main', livemode, keys, ...(isConnected ? { connectedAccount: CONNECTED_ACCOUNT } : {}) });
  return { header, body, secrets, account, tells };
}

/** Entries that prove nothing: the test mode's `v0`, schemes to come, signatures of secrets that were rolled before. */
function others(random: Random): string[] {
  const hex = random.bytes(32).toString('hex');
  return [`v0=${hex}`, `v2=${random.bytes(48).toString('base64')}`, `v1=${hex}`, `ed25519=k1:${hex}`].filter(() => random.chance(0.3));
}

/** The same document in other bytes: Stripe prints it over many lines; a proxy of its own may print it otherwise. */
function spelled(random: Random, event: object): string {
  const text = JSON.stringify(event, null, random.pick([undefined, 2, '\t']));
  return random.pick<(text: string) => string>([
    (same) => same,
    (plain) => plain.replace(/[^\0-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    (plain) => plain.replaceAll('/', '\\/'),
    (plain) => `${plain}\n`,
  ])(text);
}

describe('Stripe\'s library, over valid events that are signed by neither', () => {
  it(`and our verifier believe and read the same ${CASES} events of seed ${SEED}`, () => {
    const kinds = new Map<string, number>();
    for (let index = 0; index < CASES; index++) {
      const sent = makeCase(SEED + index);
      const verification = ours(sent.account, sent);
      const what = `case ${index} of seed ${SEED}: ${sent.header}\n${sent.body.toString('utf8', 0, 2_000)}`;
      expect(theirs(sent), what).toEqual(JSON.parse(sent.body.toString('utf8')));
      expect(verification, what).toMatchObject({ outcome: 'verified' });
      const reading = verification.outcome === 'verified' ? verification.read() : null;
      expect(reading, what).toMatchObject({ outcome: 'read', notifications: [sent.tells] });
      const told: Notification | undefined = reading?.outcome === 'read' ? reading.notifications[0] : undefined;
      if (told?.kind === 'succeeded' && !('discount' in sent.tells)) expect(told, what).not.toHaveProperty('discount');
      if (told !== undefined && told.kind !== 'not-handled') expect(told.claims, what).toEqual(sent.account.expects);
      kinds.set(told?.kind ?? '', (kinds.get(told?.kind ?? '') ?? 0) + 1);
    }
    // Each kind is met so often that a fault in one of its variants cannot hide.
    for (const kind of ['succeeded', 'attempt-failed', 'closed', 'refunded', 'refund-failed', 'disputed', 'dispute-closed', 'not-handled']) expect(kinds.get(kind), kind).toBeGreaterThan(CASES / 100);
  });

  it(`and our verifier refuse whatever was altered in them, of seed ${SEED}`, () => {
    for (let index = 0; index < CASES; index++) {
      const sent = makeCase(SEED + index);
      const random = createRandom(SEED - index);
      const [change, alter] = random.pick(ALTERATIONS);
      const altered = alter(sent, random);
      const what = `case ${index} of seed ${SEED}, ${change}: ${altered.header}`;
      expect(ours(sent.account, altered), what).toMatchObject({ outcome: 'refused' });
      expect(theirs({ ...sent, ...altered }), what).toEqual(expect.any(String));
    }
  });
});

type Altered = Pick<Sent, 'header' | 'body'>;

/** An alteration each that no account may believe: neither its bytes nor its time were signed. */
const ALTERATIONS: readonly (readonly [what: string, alter: (sent: Sent, random: Random) => Altered])[] = [
  ['one byte', ({ header, body }, random) => ({ header, body: withByte(body, random.below(body.length), random) })],
  ['a byte more', ({ header, body }, random) => ({ header, body: Buffer.concat([body, Buffer.from(random.pick([' ', '\n', '}', '\0']))]) })],
  ['a byte less', ({ header, body }) => ({ header, body: body.subarray(0, -1) })],
  ['an amount', ({ header, body }) => ({ header, body: Buffer.from(body.toString('utf8').replace(/"created":/, '"created":1')) })],
  ['another mode', ({ header, body }) => ({ header, body: Buffer.from(body.toString('utf8').replace(/"livemode":( ?)(true|false)/, (_all, gap: string, mode) => `"livemode":${gap}${mode === 'true' ? 'false' : 'true'}`)) })],
  ['another time', ({ header, body }, random) => ({ header: header.replace(/t=(\d+)/, (_all, time: string) => `t=${Number(time) - 1 - random.below(5)}`), body })],
  ['no signature of its scheme', ({ header, body }) => ({ header: header.replaceAll('v1=', 'v0='), body })],
  ['one digit of each signature', ({ header, body }) => ({ header: header.replace(/v1=(.)/g, (_all, digit: string) => `v1=${digit === '0' ? '1' : '0'}`), body })],
  ['no time', ({ header, body }) => ({ header: header.replace(/t=\d+,/, ''), body })],
  ['another secret', ({ header, body }, random) => ({ header: `${header.split(',')[0]},v1=${hmac(newSecret(random), NOW_SECONDS, body)}`, body })],
  ['the secret without its prefix', ({ body, secrets }) => ({ header: `t=${NOW_SECONDS},v1=${hmac(secrets[0]!.slice('whsec_'.length), NOW_SECONDS, body)}`, body })],
  ['the body signed without its time', ({ body, secrets }) => ({ header: `t=${NOW_SECONDS},v1=${createHmac('sha256', secrets[0]!).update(body).digest('hex')}`, body })],
  ['a time that is long past', ({ body, secrets }, random) => resigned(secrets, NOW_SECONDS - TOLERANCE_SECONDS - 1 - random.below(10 ** 6), body)],
  ['SHA-1', ({ body, secrets }) => ({ header: `t=${NOW_SECONDS},v1=${createHmac('sha1', secrets[0]!).update(`${NOW_SECONDS}.`).update(body).digest('hex')}`, body })],
];

function withByte(body: Buffer, at: number, random: Random): Buffer {
  const changed = Buffer.from(body);
  changed[at] = changed[at]! ^ (1 << random.below(7));
  return changed;
}

function resigned(secrets: readonly string[], timestamp: number, body: Buffer): Altered {
  return { header: `t=${timestamp},v1=${hmac(secrets[0]!, timestamp, body)}`, body };
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const signature = ({ secrets, body }: Sent): string => hmac(secrets[0]!, NOW_SECONDS, body);
const thin = Buffer.from('{"id":"evt_1","object":"v2.core.event","type":"v1.payment_intent.succeeded","livemode":true,"related_object":{"id":"pi_1"}}');
const reaching = Buffer.from('{"id":"evt_1","object":"event","type":"payment_intent.succeeded","metadata":{"__proto__":{"payNo":"p1"}}}');

/** Where the two differ: whether each believes it. Each row stands in docs/PAYMENT_RULES.md, too. */
const DIFFERENCES: readonly (readonly [what: string, theirs: boolean, ours: string, make: (sent: Sent) => Altered])[] = [
  ['a time in the future', true, 'timestamp-in-future', ({ secrets, body }) => resigned(secrets, NOW_SECONDS + TOLERANCE_SECONDS + 1, body)],
  ['a time with junk behind it', true, 'signature-malformed', (sent) => ({ header: `t=${NOW_SECONDS}junk,v1=${signature(sent)}`, body: sent.body })],
  ['a time with a leading zero', true, 'signature-malformed', (sent) => ({ header: `t=0${NOW_SECONDS},v1=${signature(sent)}`, body: sent.body })],
  ['two times', true, 'signature-malformed', (sent) => ({ header: `t=1,t=${NOW_SECONDS},v1=${signature(sent)}`, body: sent.body })],
  ['eleven signatures', true, 'signature-malformed', (sent) => ({ header: `t=${NOW_SECONDS}${`,v1=${'0'.repeat(64)}`.repeat(10)},v1=${signature(sent)}`, body: sent.body })],
  ['a signature that is none beside the right one', true, 'signature-malformed', (sent) => ({ header: `t=${NOW_SECONDS},v1=${signature(sent)},v1=00`, body: sent.body })],
  ['an entry that is none', true, 'signature-malformed', (sent) => ({ header: `t=${NOW_SECONDS},,v1=${signature(sent)}`, body: sent.body })],
  ['two headers joined into one', true, 'signature-malformed', (sent) => ({ header: `t=${NOW_SECONDS},v1=${signature(sent)}, t=${NOW_SECONDS},v1=${signature(sent)}`, body: sent.body })],
  ['capital digits', false, 'verified', (sent) => ({ header: `t=${NOW_SECONDS},v1=${signature(sent).toUpperCase()}`, body: sent.body })],
  ['a byte order mark that was not signed', true, 'signature-mismatch', (sent) => ({ header: `t=${NOW_SECONDS},v1=${signature(sent)}`, body: Buffer.concat([BYTE_ORDER_MARK, sent.body]) })],
  ['a byte order mark that was signed', false, 'verified', ({ secrets, body }) => resigned(secrets, NOW_SECONDS, Buffer.concat([BYTE_ORDER_MARK, body]))],
  ['a thin event', false, 'malformed', ({ secrets }) => resigned(secrets, NOW_SECONDS, thin)],
  ['a key that reaches the prototype', true, 'malformed', ({ secrets }) => resigned(secrets, NOW_SECONDS, reaching)],
];

describe('where Stripe\'s library and ours differ', () => {
  it.each(DIFFERENCES)('%s: theirs believes it: %s, ours says: %s', (_what, isBelieved, outcome, make) => {
    for (let index = 0; index < 20; index++) {
      const sent = makeCase(SEED + index);
      const made = make(sent);
      expect(typeof theirs({ ...sent, ...made }) === 'object').toBe(isBelieved);
      const verification = ours(sent.account, made);
      expect([verification.outcome === 'refused' ? verification.reason : verification.outcome, verification.outcome === 'verified' ? verification.read().outcome : '']).toContain(outcome);
    }
  });
});
