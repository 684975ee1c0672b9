import { describe, expect, it } from 'vitest';
import type { Claims, Notification } from '../../../src/contracts/payment-notifications.ts';
import type { ProviderAccount } from '../../../src/modules/payments/providers/provider.ts';
import { createRandom, seedOfRun } from '../../harness/random.ts';
import { ACCOUNTS, makeCase, NOW, resigned, type Case } from './wechatpay-cases.ts';
import { DIFFERENCES, MUTATIONS, RESOURCE_MUTATIONS, type Difference } from './wechatpay-differences.ts';
import { libraryOpens, libraryTakes, libraryVerifies } from './wechatpay-library.ts';
import { NOTICES, type NoticeKind } from './wechatpay-notices.ts';
import type { SentNotice } from './wechatpay-signer.ts';

/**
 * Our verifier of WeChat Pay beside wechatpay-axios-plugin, over valid notices of every kind. Certain: what the library
 * takes of them we take, and read as WeChat Pay meant it; where the two differ is listed in DIFFERENCES, and nowhere else.
 * Not certain: which kind, keys, spelling and size the cases of a run have.
 *
 * A failure names its seed; `PAYNOTIFY_TEST_SEED=<seed>` makes the same notices again, signed with new keys.
 */
const SEED = seedOfRun();
const CASES = 600;
const MUTATED_CASES = 1_200;
const MUTATED_NOTICES = 200;
const DIFFERENT_CASES = 10;
const BODY_SIZE_MAX = 1_048_576;
/** Of processor time, which other programs cannot use up. */
const CASE_CPU_MS_MAX = 250;

/** Made once: each is altered in many ways. */
const genuine = Array.from({ length: MUTATED_NOTICES }, (_, index) => makeCase(SEED + index));
const plain = Array.from({ length: DIFFERENT_CASES }, (_, index) => makeCase(SEED + index, { kind: 'plain' }));

const REFUSALS = /^(signature-mismatch|signature-malformed|headers-malformed|unknown-serial|signature-probe)$/;

/** The reason of a refusal, the pointer of what is malformed, or `read`. */
function ours({ headers, body }: SentNotice): string {
  const verification = ACCOUNTS.direct.verify({ headers, body }, NOW);
  if (verification.outcome === 'refused') return verification.reason;
  const reading = verification.read();
  return reading.outcome === 'read' ? 'read' : reading.field;
}

/** As contradictions are found: what is not claimed is not compared. */
function isOf({ expects }: ProviderAccount, notification: Notification): boolean {
  const claims: Claims = 'claims' in notification ? notification.claims : {};
  return Object.entries(expects).every(([name, value]) => (claims[name as keyof Claims] ?? value) === value);
}

function expectAsMeant({ kind, notice, signer, apiV3Key, headers, body }: Case, seed: number): void {
  const about = `seed ${seed}, ${kind}`;
  const before = process.threadCpuUsage();
  const verification = ACCOUNTS[notice.mode ?? 'direct'].verify({ headers, body }, NOW);
  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 1000, about).toBeLessThan(CASE_CPU_MS_MAX);
  expect(verification, about).toMatchObject({ outcome: 'verified', keyId: notice.isOpened ? `${signer.id}+${apiV3Key.id}` : signer.id });
  const reading = verification.outcome === 'verified' ? verification.read() : null;
  expect(reading, about).toMatchObject({ outcome: 'read', notifications: notice.facts });
  const told = reading?.outcome === 'read' ? reading.notifications.filter((notification) => notification.kind !== 'not-handled') : [];
  for (const notification of told) {
    expect([isOf(ACCOUNTS.direct, notification), isOf(ACCOUNTS['service-provider'], notification)], about).toEqual([notice.mode === 'direct', notice.mode === 'service-provider']);
  }
}

function expectAsLibrary(it: Case, seed: number): void {
  const about = `seed ${seed}, ${it.kind}`;
  expect(libraryVerifies(it), about).toBe(true);
  expect(libraryOpens(it.body), about).toBe(it.plaintext);
  // What is odd about the spelling means the same.
  expect({ resource: JSON.parse(it.plaintext) }, about).toMatchObject({ resource: JSON.parse(JSON.stringify(it.notice.resource)) });
}

const signatureOf = ({ headers }: SentNotice): Buffer => Buffer.from(headers['wechatpay-signature'] ?? '', 'base64');

describe('WeChat Pay beside wechatpay-axios-plugin', () => {
  it(`takes ${CASES} valid notices of all kinds, as the library does, and reads them as they were meant`, () => {
    console.log(`seed ${SEED}`);
    const kinds = new Map<NoticeKind, number>();
    for (let seed = SEED; seed < SEED + CASES; seed++) {
      const it = makeCase(seed);
      kinds.set(it.kind, (kinds.get(it.kind) ?? 0) + 1);
      expectAsMeant(it, seed);
      expectAsLibrary(it, seed);
    }
    for (const kind of Object.keys(NOTICES) as NoticeKind[]) expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(CASES / 30);
  });

  it.each([100_000, 400_000, BODY_SIZE_MAX - 1, BODY_SIZE_MAX])('takes a body of %i bytes', (size) => {
    for (let seed = SEED; seed < SEED + 3; seed++) {
      const it = makeCase(seed, { size });
      expect(it.body).toHaveLength(size);
      expectAsMeant(it, seed);
      expectAsLibrary(it, seed);
    }
  });

  it(`refuses ${MUTATED_CASES} notices that were altered on the way`, () => {
    for (let index = 0; index < MUTATED_CASES; index++) {
      const random = createRandom(SEED + index);
      const [it, other] = [genuine[index % MUTATED_NOTICES] as Case, genuine[(index + 1) % MUTATED_NOTICES] as Case];
      const name = random.pick(Object.keys(MUTATIONS));
      const altered = MUTATIONS[name]!(it, random, other);
      const about = `seed ${SEED}, mutation ${index}: ${name}`;
      expect(ours(altered), about).toMatch(REFUSALS);
      // The library decodes Base64 leniently, so that a signature has more than one spelling.
      expect(libraryTakes(altered), about).toBe(name === 'signature' && signatureOf(altered).equals(signatureOf(it)));
    }
  });

  it('opens nothing that was altered before it was signed', () => {
    for (const [index, it] of genuine.filter(({ notice }) => notice.isOpened).entries()) {
      const random = createRandom(SEED + index);
      const member = random.pick(Object.keys(RESOURCE_MUTATIONS));
      const altered = resigned(it, (resource) => ({ ...resource, [member]: RESOURCE_MUTATIONS[member]!((resource[member] ?? '') as string, random) }));
      expect([ours(altered), libraryVerifies(altered), libraryTakes(altered)], `seed ${SEED}, notice ${index}: ${member}`).toEqual(['/resource/ciphertext', true, false]);
    }
  });

  it.each(Object.keys(DIFFERENCES))('differs from it in %s', (name) => {
    const { of, library, us } = DIFFERENCES[name] as Difference;
    for (const [index, it] of plain.entries()) {
      const different = of(it, createRandom(SEED + index));
      expect([libraryTakes(different) ? 'taken' : 'refused', ours(different)], `seed ${SEED}, notice ${index}`).toEqual([library, us]);
    }
  });
});
