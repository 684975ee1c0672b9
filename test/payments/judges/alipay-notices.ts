import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { Random } from '../../harness/random.ts';
import { encodeGbk } from './gbk.ts';

/**
 * Valid notices of Alipay by seed, signed with nothing but node:crypto, and what each is about. In every way that they
 * differ: kind, charset, which bytes were signed, what becomes of empty values, order, unknown parameters, merchant's text.
 */
export interface Notice {
  /** Decoded, as meant, without `sign`. */
  readonly values: ReadonlyMap<string, string>;
  readonly sign: string;
  readonly body: Buffer;
  /** What it tells of, in the order it happened. */
  readonly tells: readonly string[];
  readonly isGbk: boolean;
  readonly signs: 'bytes' | 'decoded text';
  readonly empties: 'kept' | 'left out' | 'left out if blank';
  readonly signsType: boolean;
  /** A merchant's text that could be cut into a field that is read. */
  readonly isAmbiguous: boolean;
}

export const MERCHANT = { appId: '2021000000000001', sellerId: '2088000000000001' };
export const key = generateKeyPairSync('rsa', { modulusLength: 2048 });

const TRADE = {
  notify_type: 'trade_status_sync', app_id: MERCHANT.appId, seller_id: MERCHANT.sellerId, out_trade_no: 'p1', trade_no: '2026112422001', total_amount: '19.99',
  gmt_create: '2026-11-24 15:30:00', notify_time: '2026-11-24 16:00:00', version: '1.0', auth_app_id: MERCHANT.appId, buyer_id: '2088102', trade_status: 'TRADE_SUCCESS',
};
const PAID = { ...TRADE, gmt_payment: '2026-11-24 15:30:01' };
const REFUND = { gmt_refund: '2026-11-24 15:45:05.123', refund_fee: '1.01', out_biz_no: 'r-1' };
const OTHER = { notify_type: 'dut_user_sign', app_id: MERCHANT.appId, notify_time: '2026-11-24 16:00:00', status: 'NORMAL', agreement_no: '20265', external_agreement_no: 'a&b' };
const MESSAGE = { msg_method: 'alipay.trade.refund.depositback.completed', app_id: MERCHANT.appId, biz_content: '{"trade_no":"2026","dback_status":"S"}', version: '1.1' };

type Kind = readonly [values: Readonly<Record<string, string>>, tells: readonly string[]];
const KINDS: readonly Kind[] = [
  [PAID, ['succeeded p1 1999']],
  [{ ...PAID, refund_fee: '0.00', receipt_amount: '10.00', buyer_pay_amount: '10.00', point_amount: '0.00', invoice_amount: '10.00' }, ['succeeded p1 1999']],
  [{ ...PAID, trade_status: 'TRADE_FINISHED' }, ['succeeded p1 1999']],
  [{ ...PAID, ...REFUND }, ['succeeded p1 1999', 'refunded p1 101']],
  [{ ...PAID, ...REFUND, trade_status: 'TRADE_CLOSED', refund_fee: '19.99', gmt_close: '2026-11-24 15:45:05' }, ['succeeded p1 1999', 'refunded p1 1999']],
  [{ ...TRADE, trade_status: 'TRADE_CLOSED', gmt_close: '2026-11-24 15:45:00' }, ['closed p1']],
  [{ ...TRADE, trade_status: 'WAIT_BUYER_PAY' }, ['not-handled p1 WAIT_BUYER_PAY']],
  [{ ...PAID, ...REFUND, trade_status: '' }, ['refunded p1 101']],
  [{ ...PAID, out_trade_no: 'p*1' }, ['not-handled null TRADE_SUCCESS.foreign-number']],
  [OTHER, ['not-handled null dut_user_sign']],
  [MESSAGE, ['not-handled null alipay.trade.refund.depositback.completed']],
];

const UTF8 = ['utf-8', 'UTF-8', 'utf8', 'unicode-1-1-utf-8', '', null];
const GB = ['GBK', 'gbk', 'GB2312', 'gb2312', 'GB18030', 'gb_2312-80', 'x-gbk'];
/** Pieces of what a merchant or a buyer writes; the last ones name fields that are read, behind a text. */
const PIECES = ['Tom&Jerry=best', 'a&ref=1', 'user=1&course=2', '\r\n', '%26total_amount%3D0.01', '1+1 = 2 & 100%', '{"a":["b&c=d"]}', '课程', '退款', '€', '张三', '=&=', ' ', '&', '“”'];
const NAMING = ['x&notify_type=a', 'x&msg_method=b&c=d', 'x&sign_type=RSA2'];
const NAMING_OF_TRADE = [...NAMING, 'x&total_amount=0.01', 'x&total_amount=0.01&tp=1'];
const TEXTS = ['subject', 'body', 'passback_params', 'extend_params', 'zz', 'buyer_logon_id'];

export function makeNotice(random: Random): Notice {
  const [kind, tells] = random.pick(KINDS);
  const isGbk = random.chance(0.4);
  const charset = random.pick<string | null>(isGbk ? GB : UTF8);
  const isAmbiguous = random.chance(0.05);
  const values = new Map([...Object.entries(kind), ...(charset === null ? [] : [['charset', charset] as const]), ['notify_id', 'n1'], ...extras(random, isGbk), ...(isAmbiguous ? [['subject', random.pick('trade_no' in kind ? NAMING_OF_TRADE : NAMING)] as const] : []), ['sign_type', 'RSA2']]);
  const signsType = random.chance(0.1);
  const empties = random.pick(['kept', 'left out', 'left out if blank'] as const);
  const signs = random.pick(['bytes', 'decoded text'] as const);
  const encode = isGbk ? encodeGbk : (text: string) => Buffer.from(text);
  const signed = signedText(values, empties, signsType);
  const signature = sign('RSA-SHA256', signs === 'bytes' ? encode(signed) : Buffer.from(signed), key.privateKey).toString('base64');
  const body = formOf(random, [...values, ['sign', signature]], encode);
  return { values, sign: signature, body, tells: signsType ? [asUnhandled(values)] : tells, isGbk, signs, empties, signsType, isAmbiguous: isAmbiguous && !signsType };
}

/** What is signed with its type is no trade, whatever it says. */
function asUnhandled(values: ReadonlyMap<string, string>): string {
  const number = values.get('out_trade_no') ?? 'p*1';
  return `not-handled ${number === 'p1' ? number : 'null'} ${values.get('notify_type') ?? values.get('msg_method') ?? ''}`;
}

function* extras(random: Random, isGbk: boolean): Generator<[string, string]> {
  for (let texts = random.below(4); texts > 0; texts--) {
    yield [random.pick(TEXTS), Array.from({ length: 1 + random.below(4) }, () => random.pick(PIECES)).join('') + (random.chance(0.1) && isGbk ? '😀' : '')];
  }
  for (const name of ['voucher_detail_list', 'fund_bill_list', 'a', 'point_x', 'Zx', '课']) if (random.chance(0.15)) yield [name, random.pick(['', ' ', '\t ', '[]', '0'])];
  if (random.chance(0.2)) yield [random.pick(['gmt_close', 'body', 'store_id']), ''];
}

function signedText(values: ReadonlyMap<string, string>, empties: Notice['empties'], signsType: boolean): string {
  const isLeftOut = (value: string): boolean => (empties === 'left out' ? value === '' : empties === 'left out if blank' && value.trim() === '');
  const names = [...values.keys()].filter((name) => (signsType || name !== 'sign_type') && !isLeftOut(values.get(name) ?? '')).sort();
  return names.map((name) => `${name}=${values.get(name)}`).join('&');
}

/** In any order, with any spelling that a form encoder may choose. */
export function formOf(random: Random, entries: readonly (readonly [string, string])[], encode: (text: string) => Buffer): Buffer {
  const plus = random.chance(0.5) ? '+' : '%20';
  const digits = random.chance(0.8) ? (hex: string) => hex.toUpperCase() : (hex: string) => hex;
  const escape = (text: string): string => [...encode(text)].map((byte) => (byte === 0x20 ? plus : /[A-Za-z0-9._*-]/.test(String.fromCharCode(byte)) && byte < 0x80 ? String.fromCharCode(byte) : `%${digits(byte.toString(16).padStart(2, '0'))}`)).join('');
  const order = new Map(entries.map(([name]) => [name, createHash('md5').update(`${random.seed} ${name}`).digest('hex')]));
  const shuffled = [...entries].sort(([a], [b]) => ((order.get(a) ?? '') < (order.get(b) ?? '') ? -1 : 1));
  return Buffer.from(shuffled.map(([name, value]) => `${escape(name)}=${escape(value)}`).join('&'), 'latin1');
}
