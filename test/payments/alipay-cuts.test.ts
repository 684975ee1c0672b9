import { describe, expect, it } from 'vitest';
import type { FormField } from '../../src/modules/payments/providers/alipay-form.ts';
import { noticeReader } from '../../src/modules/payments/providers/alipay-kind.ts';
import { readTrade } from '../../src/modules/payments/providers/alipay-notice.ts';
import type { Reading } from '../../src/modules/payments/providers/provider.ts';
import { createRandom, seedOfRun, type Random } from '../harness/random.ts';

/**
 * One signed text, cut into other fields. Certain: whatever is read of a cut is what the genuine notice says, or the same
 * without a time or a number that it could have got from a merchant's text. The merchant's texts hold anything, names that
 * we read above all, in every place of the alphabet. A failure names its seed.
 */
const TEXTS = 400;
/** Of each text; every cut at once would be some hundred thousand. */
const PLACES_VARIED = 8;
const SEED = seedOfRun();

const source = { provider: 'alipay', account: 'main', notificationId: 'n1' };
const TRADE: Readonly<Record<string, string>> = {
  app_id: '1', charset: 'utf-8', gmt_create: '2026-11-24 15:30:00', gmt_payment: '2026-11-24 15:30:01', notify_id: 'n1', notify_time: '2026-11-24 15:30:02',
  notify_type: 'trade_status_sync', out_trade_no: 'p1', seller_id: '3', total_amount: '19.99', trade_no: 't1', trade_status: 'TRADE_SUCCESS',
};
const REFUND = { gmt_refund: '2026-11-24 15:31:00.123', out_biz_no: 'r1', refund_fee: '1.01' };
const KINDS: readonly Readonly<Record<string, string>>[] = [
  TRADE,
  { ...TRADE, buyer_id: '2088', point_amount: '0.00', receipt_amount: '19.99', version: '1.0' },
  { ...TRADE, ...REFUND },
  { ...TRADE, ...REFUND, trade_status: 'TRADE_CLOSED', refund_fee: '19.99', gmt_close: '2026-11-24 15:31:00' },
  without({ ...TRADE, trade_status: 'TRADE_CLOSED' }, 'gmt_payment'),
  without({ ...TRADE, ...REFUND }, 'trade_status'),
  without({ ...TRADE, ...REFUND }, 'out_biz_no'),
];
const TEXT_NAMES = ['body', 'passback_params', 'subject', 'extend_params', 'a_note', 'gmt_note', 'note', 'order_note', 'out_note', 'refund_note', 'trade_note', 'zz'];
/** What a forger would want to be read. */
const FORGED: Readonly<Record<string, string>> = {
  ...TRADE, ...REFUND, app_id: '9', gmt_create: '2020-01-01 00:00:00', gmt_payment: '2020-01-01 00:00:00', gmt_refund: '2020-01-01 00:00:00', gmt_close: '2020-01-01 00:00:00',
  notify_time: '2020-01-01 00:00:00', notify_type: 'dut_user_sign', msg_method: 'x', out_trade_no: 'p9', seller_id: '9', total_amount: '0.01', trade_no: 't9',
  trade_status: 'TRADE_CLOSED', out_biz_no: 'r9', refund_fee: '19.99', sign_type: 'RSA2', receipt_amount: '0.01', version: '9',
};
const HARMLESS = { x: '1', b: '', ref: '1', tp: '1', user: '1', course: '2', q: '3' };

function without(fields: Readonly<Record<string, string>>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));
}

type Pair = readonly [name: string, value: string];
type Below = Random['below'];

function makeGenuine(below: Below): Pair[] {
  const fields: Record<string, string> = { ...KINDS[below(KINDS.length)] };
  for (let texts = below(4); texts > 0; texts--) fields[TEXT_NAMES[below(TEXT_NAMES.length)] ?? ''] = makeText(below);
  if (below(5) === 0 && 'out_biz_no' in fields) fields.out_biz_no = makeText(below);
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Now and then in the order of the alphabet, as a forger would have to put it. */
function makeText(below: Below): string {
  const fragments = Object.entries(below(2) === 0 ? { ...FORGED, ...HARMLESS } : HARMLESS).map(([name, value]) => `${name}=${value}`);
  const chosen = Array.from({ length: below(4) }, () => fragments[below(fragments.length)] ?? '');
  return ['x', ...(below(2) === 0 ? chosen.sort() : chosen)].join('&');
}

/** Every way to cut the text with some of its places varied, the names in order as they were signed. */
function* cutsOf(genuine: readonly Pair[], below: Below): Generator<Pair[]> {
  const segments = genuine.map(([name, value]) => `${name}=${value}`).join('&').split('&');
  const starts = new Set<number>();
  genuine.reduce((at, [, value]) => starts.add(at) && at + value.split('&').length, 0);
  // Half of them inside of texts, where there are any: only there can something be cut off.
  const inside = segments.flatMap((_segment, at) => (starts.has(at) ? [] : [at]));
  const varied = Array.from({ length: PLACES_VARIED }, (_all, bit) => (bit % 2 === 0 && inside[below(inside.length)]) || 1 + below(segments.length - 1));
  for (let choice = 0; choice < 2 ** varied.length; choice++) {
    const isStart = segments.map((_segment, at) => at === 0 || (varied.includes(at) ? varied.some((place, bit) => place === at && (choice >> bit) % 2 === 1) : starts.has(at)));
    const cut = joined(segments, isStart);
    if (cut.every(([name], at) => name !== '' && (at === 0 || (cut[at - 1]?.[0] ?? '') < name))) yield cut;
  }
}

function joined(segments: readonly string[], isStart: readonly boolean[]): Pair[] {
  const texts: string[] = [];
  segments.forEach((segment, at) => texts.push(isStart[at] === true ? segment : `${texts.pop() ?? ''}&${segment}`));
  return texts.map((text) => [text.slice(0, Math.max(0, text.indexOf('='))), text.slice(text.indexOf('=') + 1)]);
}

const asFields = (pairs: readonly Pair[]): FormField[] => pairs.map(([name, value]) => ({ name, value, bytes: '' }));

function readingOf(pairs: readonly Pair[]): Reading | null {
  return noticeReader(source, asFields(pairs))?.() ?? null;
}

/** What the notice says, whoever cuts it, and the same without each of what may have to be left out. */
function truthsOf(genuine: readonly Pair[]): Set<string> {
  const optional = ['gmt_close', 'gmt_payment', 'gmt_refund', 'out_biz_no'];
  const subsets = Array.from({ length: 2 ** optional.length }, (_all, bits) => optional.filter((_name, bit) => (bits >> bit) % 2 === 1));
  return new Set(
    subsets.map((left) => {
      const sure = new Map(genuine.filter(([name]) => !left.includes(name)));
      return JSON.stringify(readTrade({ ...source, providerType: 'trade_status_sync' }, { sure, doubtful: new Map() }));
    }),
  );
}

describe('a signed text that is cut into other fields', () => {
  it('is refused, or says what the genuine notice says', () => {
    let accepted = 0;
    let recut = 0;
    for (let index = 0; index < TEXTS; index++) {
      const { below } = createRandom(SEED + index);
      const genuine = makeGenuine(below);
      const truths = truthsOf(genuine);
      const whole = readingOf(genuine);
      if (whole?.outcome === 'read') accepted++;
      for (const cut of cutsOf(genuine, below)) {
        const reading = readingOf(cut);
        if (reading?.outcome !== 'read') continue;
        const told = JSON.stringify(reading);
        const isTrue = whole?.outcome === 'read' ? told === JSON.stringify(whole) : truths.has(told);
        if (!isTrue) expect.fail(`seed ${SEED}, text ${index}: ${JSON.stringify({ genuine, cut, reading, truths: [...truths] })}`);
        if (JSON.stringify(cut) !== JSON.stringify(genuine)) recut++;
      }
    }
    // Neither refuses everything nor lets everything through: texts are also cut where nothing is read.
    expect(accepted, `seed ${SEED}`).toBeGreaterThan(TEXTS / 4);
    expect(recut, `seed ${SEED}`).toBeGreaterThan(TEXTS / 20);
  });
});
