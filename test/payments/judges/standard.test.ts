import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { standardWebhooks } from '../../../src/modules/payments/providers/standard-webhooks.ts';
import { createRandom, seedOfRun, type Random } from '../../harness/random.ts';
import { makeMessage, type Message } from './standard-messages.ts';

/**
 * Our verifier against the specification's own library. Certain: of valid webhooks they disagree only as the table says, which
 * docs/PAYMENT_RULES.md explains; what is read is what was meant; nothing that was altered is believed.
 *
 * `PAYNOTIFY_TEST_SEED=<seed>` makes the webhooks of a failure again.
 */
const MESSAGES = 1_000;
const SEED = seedOfRun();
/** The library goes by the clock. */
const NOW = new Date();
const NOW_SECONDS = Math.floor(NOW.getTime() / 1000);

interface Difference {
  readonly what: string;
  isWhy(message: Message): boolean;
}

const DIFFERENCES: readonly Difference[] = [
  { what: 'the library does not know v1a', isWhy: ({ signedBy }) => signedBy === 'public key' },
  { what: 'the library takes one secret', isWhy: ({ signedBy }) => signedBy === 'second secret' },
];

function verify({ secret, otherSecrets, publicKey }: Message, headers: Message['headers'], body: string) {
  const keys = [secret, ...otherSecrets].map((text, index) => ({ id: `k${index}`, secret: text }));
  const account = standardWebhooks.readAccount('demo', { path: 'account', keys: publicKey === null ? keys : [...keys, { id: 'ed', publicKey }] });
  return account.verify({ headers, body: Buffer.from(body) }, NOW);
}

function judge(secret: string, headers: Message['headers'], body: string): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

/** The body, the id, the time or the signatures altered. */
function alter({ headers, body }: Message, random: Random): { headers: Message['headers']; body: string } {
  const signatures = headers['webhook-signature'] ?? '';
  switch (random.below(6)) {
    case 0:
      return { headers, body: body.replace(/[a-z]/, (char) => (char === 'a' ? 'b' : 'a')) };
    case 1:
      return { headers, body: `${body} ` };
    case 2:
      return { headers: { ...headers, 'webhook-id': `${headers['webhook-id'] ?? ''}1` }, body };
    case 3:
      return { headers: { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }, body };
    case 4:
      return { headers: { ...headers, 'webhook-signature': signatures.replaceAll(/v1a?,(.)/g, (entry, first: string) => entry.replace(`,${first}`, first === 'A' ? ',B' : ',A')) }, body };
    default:
      return { headers: { ...headers, 'webhook-signature': signatures.replaceAll(/v1(a?),/g, random.pick(['v2$1,', 'V1$1,', 'v1$1', 'v1$1, '])) }, body };
  }
}

describe('the library of Standard Webhooks as a judge', () => {
  it(`agrees about ${MESSAGES} valid webhooks, but for what the table lists, and about what they say`, () => {
    const seen = new Set<string>();
    for (let index = 0; index < MESSAGES; index++) {
      const message = makeMessage(createRandom(SEED + index), NOW_SECONDS);
      const shown = `seed ${SEED}, webhook ${index}: ${JSON.stringify(message)}`;
      const verification = verify(message, message.headers, message.body);
      expect(verification, shown).toMatchObject({ outcome: 'verified', keyId: { secret: 'k0', 'second secret': 'k1', 'public key': 'ed' }[message.signedBy] });
      const reading = verification.outcome === 'verified' ? verification.read() : null;
      expect(reading, shown).toMatchObject({ outcome: 'read', notifications: [{ kind: message.kind }] });
      const why = DIFFERENCES.find(({ isWhy }) => isWhy(message));
      expect(judge(message.secret, message.headers, message.body), shown).toBe(why === undefined);
      if (why !== undefined) seen.add(why.what);
    }
    expect(seen.size, `seed ${SEED}`).toBe(DIFFERENCES.length);
  });

  it('refuses what was altered, and so do we', () => {
    for (let index = 0; index < MESSAGES; index++) {
      const random = createRandom(SEED + index);
      const message = makeMessage(random, NOW_SECONDS);
      const { headers, body } = alter(message, random);
      const shown = `seed ${SEED}, webhook ${index}: ${JSON.stringify({ message, headers, body })}`;
      expect(verify(message, headers, body).outcome, shown).toBe('refused');
      expect(judge(message.secret, headers, body), shown).toBe(false);
    }
  });
});
