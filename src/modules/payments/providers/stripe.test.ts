import { randomBytes } from 'node:crypto';
import Stripe from 'stripe';
import { describe, expect, it, vi } from 'vitest';
import type { SuccessToSign } from './outcome-to-sign.ts';
import { signStripe, signStripeBody, type StripeSigningKey } from './sign-stripe.ts';
import { stripe, TIMESTAMP_TOLERANCE_SECONDS } from './stripe.ts';

const newSecret = (): string => `whsec_${randomBytes(24).toString('base64url')}`;
const SECRET = newSecret();
const KEY: StripeSigningKey = { provider: 'stripe', account: 'main', secret: SECRET, livemode: false };
/** Whole seconds, as in the header. */
const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const nowSeconds = NOW.getTime() / 1000;

const success: SuccessToSign = {
  kind: 'succeeded', payNo: 'p1', tradeNo: 'pi_1', amount: '1999', currency: 'CNY', notificationId: 'evt_1', paidAt: NOW,
};
const { body: BODY, headers } = signStripe(KEY, success, NOW);
const HEADER = headers['stripe-signature']!;
const SIGNATURE = HEADER.slice(HEADER.indexOf('v1='));
const ofSecret = (secret: string, body: string | Buffer = BODY, timestamp = nowSeconds): string => signStripeBody(secret, body, timestamp)['stripe-signature']!;

function accountWith(keys: readonly object[], more: object = {}) {
  return stripe.readAccount('main', { path: 'account', provider: 'stripe', account: 'main', livemode: false, keys, ...more });
}
const main = accountWith([{ id: 'k1', secret: SECRET }]);

function outcomeOf(header: unknown, body: string | Buffer = BODY, account = main, now = NOW): string {
  const verification = account.verify({ headers: { 'stripe-signature': header as string }, body: Buffer.from(body) }, now);
  return verification.outcome === 'verified' ? verification.keyId : verification.reason;
}

/** @returns null when the official library believes it, otherwise its complaint. */
function theirRefusal(header: string, body: string | Buffer = BODY): string | null {
  try {
    Stripe.webhooks.constructEvent(body, header, SECRET, TIMESTAMP_TOLERANCE_SECONDS, undefined, NOW.getTime());
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('Stripe verification beside the official library', () => {
  it('accepts what theirs signs, and theirs accepts what ours signs', () => {
    const theirs = Stripe.webhooks.generateTestHeaderString({ payload: BODY, secret: SECRET, timestamp: nowSeconds });
    expect(outcomeOf(theirs)).toBe('k1');
    const event = Stripe.webhooks.constructEvent(BODY, HEADER, SECRET);
    expect(event).toMatchObject({ id: 'evt_1', type: 'payment_intent.succeeded', data: { object: { amount_received: 1999, currency: 'cny' } } });
  });

  it.each([
    ['another body', HEADER, `${BODY} `],
    ['another secret', ofSecret(newSecret()), BODY],
    ['no v1', HEADER.replace('v1=', 'v0='), BODY],
    ['no time', SIGNATURE, BODY],
    ['an old time', ofSecret(SECRET, BODY, nowSeconds - TIMESTAMP_TOLERANCE_SECONDS - 1), BODY],
  ])('refuses %s, as theirs does', (_what, header, body) => {
    expect(theirRefusal(header, body)).not.toBeNull();
    expect(outcomeOf(header, body)).not.toBe('k1');
  });

  it.each([
    ['a time in the future', ofSecret(SECRET, BODY, nowSeconds + 86_400), BODY, 'timestamp-in-future'],
    ['a byte order mark that was not signed', HEADER, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(BODY)]), 'signature-mismatch'],
    ['a time with junk behind it', HEADER.replace(',', 'junk,'), BODY, 'signature-malformed'],
    ['two times', `t=1,${HEADER}`, BODY, 'signature-malformed'],
    ['a hundred signatures', `${HEADER}${`,v1=${'0'.repeat(64)}`.repeat(100)}`, BODY, 'signature-malformed'],
    ['two headers that were joined into one', `${HEADER}, ${HEADER}`, BODY, 'signature-malformed'],
  ])('is stricter than theirs about %s', (_what, header, body, reason) => {
    expect(theirRefusal(header, body)).toBeNull();
    expect(outcomeOf(header, body)).toBe(reason);
  });
});

describe('the header Stripe-Signature', () => {
  it.each([
    ['none', undefined, 'headers-missing'],
    ['a list', [HEADER], 'headers-missing'],
    ['an empty one', '', 'signature-malformed'],
    ['no time', SIGNATURE, 'signature-malformed'],
    ['an empty time', HEADER.replace(/t=\d+/, 't='), 'signature-malformed'],
    ['a negative time', HEADER.replace('t=', 't=-'), 'signature-malformed'],
    ['a time with a leading zero', HEADER.replace('t=', 't=0'), 'signature-malformed'],
    ['a time in hexadecimal', HEADER.replace(/t=\d+/, `t=0x${nowSeconds.toString(16)}`), 'signature-malformed'],
    ['a time of thirteen digits', HEADER.replace(/t=\d+/, 't=1234567890123'), 'signature-malformed'],
    ['the same time twice', `t=${nowSeconds},${HEADER}`, 'signature-malformed'],
    ['a space behind the comma', HEADER.replace(',', ', '), 'signature-malformed'],
    ['an empty entry', HEADER.replace(',', ',,'), 'signature-malformed'],
    ['an entry without value', `${HEADER},v0`, 'signature-malformed'],
    ['a signature one digit short', HEADER.slice(0, -1), 'signature-malformed'],
    ['a signature one digit long', `${HEADER}0`, 'signature-malformed'],
    ['a signature that is not hexadecimal', HEADER.slice(0, -1) + 'g', 'signature-malformed'],
    ['a signature in Base64', HEADER.replace(/v1=.*/, `v1=${randomBytes(48).toString('base64')}`), 'signature-malformed'],
    ['a malformed signature beside the right one', `${HEADER},v1=00`, 'signature-malformed'],
    ['eleven signatures', `t=${nowSeconds}${`,${SIGNATURE}`.repeat(11)}`, 'signature-malformed'],
    ['three kilobytes', `${HEADER},v0=${'a'.repeat(3_000)}`, 'signature-malformed'],
    ['only a scheme that we do not know', HEADER.replace('v1=', 'v2='), 'signature-mismatch'],
    ['the signature of another time', HEADER.replace(/t=\d+/, `t=${nowSeconds - 1}`), 'signature-mismatch'],
    ['the signature of another secret', ofSecret(newSecret()), 'signature-mismatch'],
  ])('is refused with %s', (_what, header, reason) => {
    expect(outcomeOf(header)).toBe(reason);
  });

  it('may name the signature first, in capitals, and among nine others', () => {
    expect(outcomeOf(`${SIGNATURE},t=${nowSeconds}`)).toBe('k1');
    expect(outcomeOf(`t=${nowSeconds},v1=${SIGNATURE.slice(3).toUpperCase()}`)).toBe('k1');
    expect(outcomeOf(`t=${nowSeconds}${`,v1=${'0'.repeat(64)}`.repeat(9)},${SIGNATURE}`)).toBe('k1');
  });

  it('may carry other schemes, which prove nothing', () => {
    expect(outcomeOf(`${HEADER},v0=${'0'.repeat(64)}`)).toBe('k1');
    expect(outcomeOf(`${HEADER},ed25519=key-1:${'0'.repeat(64)},v1_next={}`)).toBe('k1');
    expect(outcomeOf(`${HEADER.replace('v1=', 'v0=')},v1=${'0'.repeat(64)}`)).toBe('signature-mismatch');
  });
});

describe('Stripe verification', () => {
  it('refuses a body that differs in one byte, also when it means the same', () => {
    for (const body of [`${BODY} `, BODY.replace('1999', '9999'), `\ufeff${BODY}`, BODY.replace(',', ', '), '']) {
      expect(outcomeOf(HEADER, body)).toBe('signature-mismatch');
    }
  });

  it('signs bytes, not text: a body that is not UTF-8 is genuine, and malformed', () => {
    const body = Buffer.from([0x22, 0xff, 0x22]);
    const verification = main.verify({ headers: { 'stripe-signature': ofSecret(SECRET, body) }, body }, NOW);
    expect(verification.outcome === 'verified' && verification.read()).toEqual({ outcome: 'malformed', field: '' });
  });

  it.each([
    [-TIMESTAMP_TOLERANCE_SECONDS - 1, 'timestamp-stale'],
    [-TIMESTAMP_TOLERANCE_SECONDS, 'k1'],
    [TIMESTAMP_TOLERANCE_SECONDS, 'k1'],
    [TIMESTAMP_TOLERANCE_SECONDS + 1, 'timestamp-in-future'],
  ])('judges an event sent %i s from now as %s', (offset, outcome) => {
    expect(outcomeOf(ofSecret(SECRET, BODY, nowSeconds + offset))).toBe(outcome);
  });

  it('does not tell an old forgery from a fresh one: the signature is judged before the time', () => {
    expect(outcomeOf(ofSecret(newSecret(), BODY, 1))).toBe('signature-mismatch');
  });

  it('accepts any of several secrets and any of several signatures, and says which secret it was', () => {
    const rolled = newSecret();
    const both = accountWith([{ id: 'k1', secret: SECRET }, { id: 'k2', secret: rolled }]);
    const rolledSignature = ofSecret(rolled).split(',')[1]!;
    expect(outcomeOf(HEADER, BODY, both)).toBe('k1');
    expect(outcomeOf(ofSecret(rolled), BODY, both)).toBe('k2');
    expect(outcomeOf(`t=${nowSeconds},${rolledSignature},${SIGNATURE}`)).toBe('k1');
    expect(outcomeOf(`t=${nowSeconds},${SIGNATURE},${rolledSignature}`, BODY, accountWith([{ id: 'k2', secret: rolled }]))).toBe('k2');
  });

  it('believes a secret up to and including notAfter, and not a second longer', () => {
    const account = accountWith([{ id: 'old', secret: SECRET, notAfter: NOW.toISOString() }]);
    expect(outcomeOf(HEADER, BODY, account, NOW)).toBe('old');
    expect(outcomeOf(HEADER, BODY, account, new Date(NOW.getTime() + 1_000))).toBe('no-active-key');
  });

  it('takes the whole secret as the key, prefix included', () => {
    const bare = SECRET.slice('whsec_'.length);
    expect(outcomeOf(ofSecret(bare))).toBe('signature-mismatch');
  });
});

describe('a body of a mebibyte', () => {
  const large = Buffer.from(BODY.replace('"metadata":{', `"metadata":{"note":"${'学'.repeat(340_000)}",`));

  it('is believed and read like any other', () => {
    expect(large.length).toBeGreaterThan(1_000_000);
    const verification = main.verify({ headers: { 'stripe-signature': ofSecret(SECRET, large) }, body: large }, NOW);
    expect(verification.outcome === 'verified' && verification.read()).toMatchObject({ outcome: 'read', notifications: [{ kind: 'succeeded', amount: '1999' }] });
  });

  it('is judged by its signature before anything is made of it', () => {
    const parse = vi.spyOn(JSON, 'parse');
    expect(outcomeOf(ofSecret(newSecret(), large), large)).toBe('signature-mismatch');
    expect(outcomeOf(ofSecret(SECRET, large), large)).toBe('k1');
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });
});

describe('a Stripe account', () => {
  const keys = [{ id: 'k1', secret: SECRET }];

  it('accepts discounts only where it says so', () => {
    expect(accountWith(keys).acceptsDiscounts).toBe(false);
    expect(accountWith(keys, { acceptsDiscounts: false }).acceptsDiscounts).toBe(false);
    expect(accountWith(keys, { acceptsDiscounts: true }).acceptsDiscounts).toBe(true);
  });

  it('expects its mode, and no connected account unless one is set', () => {
    expect(accountWith(keys, { livemode: true }).expects).toEqual({ livemode: 'true', connectedAccount: '' });
    expect(accountWith(keys, { connectedAccount: 'acct_1A' }).expects).toEqual({ livemode: 'false', connectedAccount: 'acct_1A' });
  });

  it.each([
    ['no mode', { livemode: undefined }, 'account.livemode'],
    ['a mode as text', { livemode: 'false' }, 'account.livemode'],
    ['a connected account that is none', { connectedAccount: 'cus_1' }, 'account.connectedAccount'],
    ['discounts as text', { acceptsDiscounts: 'true' }, 'account.acceptsDiscounts'],
    ['a misspelt setting', { liveMode: true }, 'account.liveMode'],
    ['no keys', { keys: [] }, 'account.keys'],
    ['a secret without prefix', { keys: [{ id: 'k1', secret: 'a'.repeat(32) }] }, 'account.keys[0].secret'],
    ['an API key for a secret', { keys: [{ id: 'k1', secret: `sk_live_${'a'.repeat(32)}` }] }, 'account.keys[0].secret'],
    ['a placeholder for a secret', { keys: [{ id: 'k1', secret: 'whsec_secret' }] }, 'account.keys[0].secret'],
    ['a secret with a line break behind it', { keys: [{ id: 'k1', secret: `${SECRET}\n` }] }, 'account.keys[0].secret'],
    ['an unknown field of a key', { keys: [{ id: 'k1', secret: SECRET, notafter: '2027-01-01T00:00:00Z' }] }, 'account.keys[0].notafter'],
  ])('is refused with %s, without showing the value', (_what, change, field) => {
    const read = () => accountWith(keys, change);
    expect(read).toThrow(field);
    expect(read).not.toThrow(SECRET);
  });

  it('answers by HTTP status, and gives no cause for a refusal', () => {
    expect(stripe.answer('stored', 't').status).toBe(200);
    expect(stripe.answer('not-handled', 't').status).toBe(200);
    expect(stripe.answer('unknown-payment', 't')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(stripe.answer('refused', 't').status).toBe(401);
    expect(stripe.answer('refused', 't').body).not.toMatch(/signature|timestamp|key/);
  });
});

describe('any damaged request', () => {
  const CASES = 10_000;
  const SEED = 20_261_124;

  it(`is never believed and never crashes, in ${CASES} cases of seed ${SEED}`, () => {
    const random = randomFrom(SEED);
    let believed = 0;
    for (let index = 0; index < CASES; index++) {
      const damagesBody = random(3) === 0;
      const header = damagesBody ? HEADER : damage(Buffer.from(HEADER), random).toString('latin1');
      const body = damagesBody ? damage(Buffer.from(BODY), random) : Buffer.from(BODY);
      if (outcomeOf(header, body) !== 'k1') continue;
      // What is left of the damage proves the same: the signed time, the right signature, every byte of the body.
      const entries = header.split(',');
      const isGenuine = body.equals(Buffer.from(BODY)) && entries.includes(`t=${nowSeconds}`) && entries.includes(SIGNATURE);
      expect(isGenuine, `case ${index} of seed ${SEED}: ${header}`).toBe(true);
      believed++;
    }
    // Nearly every damage matters; the few that are believed swap a byte for itself or repeat the signature.
    expect(believed).toBeGreaterThan(0);
    expect(believed).toBeLessThan(CASES / 10);
  });
});

/** @returns a function that gives a number below `limit`: the same sequence for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const PIECES = [',', '=', 't=', 'v1=', 'v0=', '0', ' ', '\u0000', 'ÿ', ',v0=00', `,${SIGNATURE}`, `,t=${nowSeconds}`];

/** One to three changes: a byte overwritten, removed, a bit turned, a piece of a header put in, the end cut off. */
function damage(bytes: Buffer, random: (limit: number) => number): Buffer {
  let damaged = bytes;
  for (let change = 0; change <= random(3); change++) {
    const at = random(damaged.length + 1);
    const [before, after] = [damaged.subarray(0, at), damaged.subarray(at)];
    const kind = random(5);
    if (kind === 0) damaged = Buffer.concat([before, Buffer.from([random(256)]), after.subarray(1)]);
    if (kind === 1) damaged = Buffer.concat([before, after.subarray(1 + random(4))]);
    if (kind === 2 && after.length > 0) damaged = Buffer.concat([before, Buffer.from([after[0]! ^ (1 << random(8))]), after.subarray(1)]);
    if (kind === 3) damaged = Buffer.concat([before, Buffer.from(PIECES[random(PIECES.length)]!, 'latin1'), after]);
    if (kind === 4) damaged = before;
  }
  return damaged;
}
