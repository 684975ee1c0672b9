import { AlipaySdk } from 'alipay-sdk';
import { describe, expect, it } from 'vitest';
import { alipay } from '../../../src/modules/payments/providers/alipay.ts';
import { createRandom, seedOfRun, type Random } from '../../harness/random.ts';
import { formOf, key, makeNotice, MERCHANT, type Notice } from './alipay-notices.ts';
import { encodeGbk } from './gbk.ts';

/**
 * Our verifier against Alipay's own library for Node. Certain: of valid notices they disagree only as the table says, which
 * docs/PAYMENT_RULES.md explains; what is read is what was meant; nothing that was altered is believed.
 *
 * `PAYNOTIFY_TEST_SEED=<seed>` makes the notices of a failure again.
 */
const NOTICES = 600;
const SEED = seedOfRun();
const NOW = new Date('2026-11-24T08:00:00Z');
const publicKey = key.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const account = alipay.readAccount('main', { path: 'account', ...MERCHANT, keys: [{ id: 'k1', publicKey }] });
const sdk = new AlipaySdk({ appId: MERCHANT.appId, privateKey: key.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(), alipayPublicKey: publicKey });

interface Difference {
  readonly what: string;
  readonly library: boolean;
  isWhy(notice: Notice): boolean;
}

const isAscii = (notice: Notice): boolean => [...notice.values].every(([name, value]) => /^[\0-\x7f]*$/.test(name + value));
const leavesOut = ({ values, empties }: Notice): boolean => empties !== 'kept' && [...values.values()].some((value) => value === '' || (empties === 'left out if blank' && value.trim() === ''));

const DIFFERENCES: readonly Difference[] = [
  { what: 'the library signs UTF-8 whatever the charset', library: false, isWhy: (notice) => notice.isGbk && notice.signs === 'bytes' && !isAscii(notice) },
  { what: 'the library signs empty values', library: false, isWhy: leavesOut },
  { what: 'the library does not see that a text may be cut into other fields', library: true, isWhy: ({ isAmbiguous }) => isAmbiguous },
];

const verify = (body: Buffer) => account.verify({ headers: {}, body }, NOW);
const judge = (values: ReadonlyMap<string, string>, sign: string): boolean => sdk.checkNotifySignV2({ ...Object.fromEntries(values), sign });

function told(body: Buffer): readonly string[] {
  const verification = verify(body);
  const reading = verification.outcome === 'verified' ? verification.read() : null;
  if (reading?.outcome !== 'read') return [JSON.stringify(reading)];
  return reading.notifications.map((notification) => {
    const { kind, payNo } = notification;
    const rest = kind === 'succeeded' ? notification.amount : kind === 'refunded' ? notification.refundedTotal : kind === 'not-handled' ? notification.providerType : '';
    return `${kind} ${payNo} ${rest}`.trim();
  });
}

/** One value altered, one parameter less or one more. @returns null when that changes nothing that is signed. */
function alter({ values, sign, isGbk }: Notice, random: Random): { values: Map<string, string>; body: Buffer } | null {
  const altered = new Map(values);
  const name = random.pick([...values].filter(([other, value]) => value.trim() !== '' && other !== 'sign_type').map(([other]) => other));
  const value = values.get(name) ?? '';
  const way = random.below(4);
  if (way === 0) altered.set(name, value.replace(/[a-z0-9]/i, (char) => (char === '1' ? '2' : '1')));
  else if (way === 1) altered.set(name, `${value}${random.pick(['1', ' ', '&x=1', '\n', '0'])}`);
  else if (way === 2) altered.delete(name);
  else altered.set(`added_${random.below(100)}`, random.pick(['1', '&', 'x=1']));
  const isSame = altered.size === values.size && altered.get(name) === value;
  return isSame ? null : { values: altered, body: formOf(random, [...altered, ['sign', sign]], isGbk ? encodeGbk : (text) => Buffer.from(text)) };
}

describe('Alipay’s library as a judge', () => {
  it(`agrees about ${NOTICES} valid notices, but for what the table lists, and about what they say`, () => {
    const seen = new Set<Difference>();
    for (let index = 0; index < NOTICES; index++) {
      const notice = makeNotice(createRandom(SEED + index));
      const shown = `seed ${SEED}, notice ${index}: ${JSON.stringify([...notice.values])} ${JSON.stringify({ ...notice, values: undefined, body: undefined })}`;
      const ours = verify(notice.body).outcome === 'verified';
      const theirs = judge(notice.values, notice.sign);
      const why = DIFFERENCES.filter(({ library, isWhy }) => library === theirs && isWhy(notice));
      if (ours !== theirs) expect(why, shown).not.toEqual([]);
      if (ours !== theirs) why.forEach((difference) => seen.add(difference));
      expect(ours, shown).toBe(!notice.isAmbiguous);
      if (ours) expect(told(notice.body), shown).toEqual(notice.tells);
    }
    expect([...seen].map(({ what }) => what).sort(), `seed ${SEED}`).toEqual(DIFFERENCES.map(({ what }) => what).sort());
  });

  it('is not needed to see that one was altered', () => {
    let altered = 0;
    for (let index = 0; index < NOTICES; index++) {
      const random = createRandom(SEED + index);
      const change = alter(makeNotice(random), random);
      if (change === null) continue;
      altered++;
      expect(verify(change.body).outcome, `seed ${SEED}, notice ${index}: ${JSON.stringify([...change.values])}`).toBe('refused');
    }
    expect(altered).toBeGreaterThan(NOTICES / 2);
  });
});
