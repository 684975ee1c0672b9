import { request } from 'node:http';
import { OutcomeNotSentError, type OutcomeToSign, type SignedWebhook, type SigningKey } from '../../src/modules/payments/index.ts';
import type { OpenPayment } from '../harness/shop.ts';
import type { Markers } from './privacy-markers.ts';
import { alipayForm, jsonWebhook, personalWebhook, type ContentChange, type Mark } from './privacy-webhooks.ts';

/** One provider that sends everything it can, every time with the buyer's data in it. */
export interface PersonalProvider {
  readonly key: SigningKey;
  /** Kinds that it sends; the others are skipped. */
  sends(kind: OutcomeToSign['kind']): boolean;
  /** @returns the status of the answer. @param label names the path in a failure. */
  tell(label: string, outcome: OutcomeToSign, change?: ContentChange, ageSeconds?: number): Promise<number>;
  /** Each way to be refused or to be genuine and unreadable. @returns the statuses, in the order of sending. */
  tellBadly(payment: OpenPayment): Promise<readonly (readonly [label: string, status: number])[]>;
}

/** Keeps what must not be found again: answers are searched, signatures are not to be logged. */
export interface Wire {
  readonly markers: Markers;
  readonly origin: () => string;
  readonly signatures: Set<string>;
  readonly answers: string[];
}

export function outcomesOf({ payNo, amount, currency, provider }: Pick<OpenPayment, 'payNo' | 'amount' | 'currency' | 'provider'>) {
  const now = new Date();
  const about = { payNo, tradeNo: `trade-${payNo}`, amount, currency };
  const refund = { refundId: `refund-${payNo}`, refundAmount: '100', refundedTotal: '100', paidAt: now, refundedAt: now };
  const id = (what: string): { notificationId: string } => ({ notificationId: `${provider}-${what}-${payNo}` });
  return {
    success: { kind: 'succeeded', ...about, ...id('success'), paidAt: now },
    attempt: { kind: 'attempt-failed', ...about, ...id('attempt'), attemptId: `attempt-${payNo}`, reason: 'card_declined', failedAt: now },
    closed: { kind: 'closed', ...about, ...id('closed'), closedAt: now },
    refund: { kind: 'refunded', ...about, ...id('refund'), ...refund },
    fullRefund: { kind: 'refunded', ...about, ...id('rest'), ...refund, refundId: `rest-${payNo}`, refundAmount: String(Number(amount) - 100), refundedTotal: amount },
    refundFailed: { kind: 'refund-failed', ...about, ...id('failed'), refundId: `failed-${payNo}`, refundAmount: '1', reason: 'ABNORMAL', failedAt: now },
  } as const satisfies Record<string, OutcomeToSign>;
}

export function personalProvider(key: SigningKey, wire: Wire): PersonalProvider {
  const markIn = (label: string): Mark => (name) => wire.markers.make(`${key.provider} ${label}: ${name}`);
  const send = (webhook: SignedWebhook, body: string | Buffer = webhook.body, headers = {}) => post(wire, webhook, body, headers);

  return {
    key,
    sends(kind) {
      try {
        personalWebhook(key, Object.values(outcomesOf({ payNo: '1', amount: '1000', currency: 'CNY', provider: key.provider })).find((outcome) => outcome.kind === kind) as OutcomeToSign, () => 'x');
        return true;
      } catch (error) {
        if (error instanceof OutcomeNotSentError) return false;
        throw error;
      }
    },
    tell: (label, outcome, change = {}, ageSeconds = 0) => send(personalWebhook(key, outcome, markIn(label), change, ageSeconds)),
    async tellBadly(payment) {
      const { success } = outcomesOf(payment);
      const results: (readonly [string, number])[] = [];
      const note = async (label: string, webhook: SignedWebhook, body?: string | Buffer, headers = {}) => results.push([label, await send(webhook, body, headers)]);
      const personal = (label: string, change: ContentChange = {}, ageSeconds = 0) => personalWebhook(key, success, markIn(label), change, ageSeconds);
      const [broken, mark] = [personal('broken'), markIn('broken')];

      await note('refused: changed after signing', broken, broken.body.replace('1', '2'));
      await note('refused: no signature', { ...broken, headers: { 'content-type': 'application/json' } }, `{"buyer":"${mark('unsigned')}"}`);
      await note('refused: another signature', broken, broken.body.replace(/sign=[^&]*$/, `sign=${mark('sign')}`), signatureHeaders(mark('signature')));
      await note('refused: cut short', broken, broken.body.slice(0, -20));
      await note('refused: bytes that are no UTF-8', broken, Buffer.concat([Buffer.from(broken.body), Buffer.from([0xff, 0xfe]), Buffer.from(mark('behind bad bytes'))]));
      await note('refused: broken escape', broken, `${broken.body}&%zz=${mark('broken escape')}`);
      await note('refused: unknown account', { ...broken, path: `${broken.path}-${mark('account')}?openid=${mark('query')}` });
      await note('refused: unknown provider', { ...broken, path: `/webhooks/${mark('provider')}/demo` });
      await note('too large', broken, `${broken.body}${mark('too large').repeat(100_000)}`);
      if (key.provider !== 'alipay') await note('refused: stale', personal('stale', {}, 3_600));
      if (key.provider === 'wechatpay') await note('refused: unknown serial', broken, broken.body, { 'wechatpay-serial': mark('serial') });

      for (const [label, change] of malformedChanges(mark)) if (label.startsWith(key.provider)) await note(`malformed: ${label}`, personal(label, change));
      if (key.provider === 'alipay') await note('malformed: too little', alipayForm(key, { app_id: mark('app_id'), subject: mark('subject') }));
      else for (const [index, body] of [`no JSON but ${mark('text')}`, `{"buyer":"${mark('half')}`, `["${mark('list')}"]`].entries()) await note(`malformed: ${index}`, jsonWebhook(key, body, 'msg_malformed'));
      return results;
    },
  };
}

/** Members that are read, holding somebody's name: what an error message would quote. */
function malformedChanges(mark: Mark): readonly (readonly [label: string, change: ContentChange])[] {
  const name = (): string => `${mark('in a member that is read')} 张三`;
  return [
    ['alipay amount', { total_amount: name() }],
    ['alipay refund', { refund_fee: name() }],
    ['alipay time', { gmt_payment: name() }],
    ['alipay state', { trade_status: name() }],
    ['wechatpay state', { trade_state: name() }],
    ['wechatpay time', { success_time: name() }],
    ['wechatpay amount', { amount: { total: name(), currency: name() } }],
    ['wechatpay cipher', { envelope: { resource: { algorithm: name(), nonce: name(), associated_data: name(), ciphertext: name() } } }],
    ['wechatpay sealed otherwise', { envelope: { resource: { algorithm: 'AEAD_AES_256_GCM', nonce: '123456789012', associated_data: name(), ciphertext: Buffer.from(name()).toString('base64') } } }],
    ['stripe amount', { amount_received: name() }],
    ['stripe currency', { currency: name() }],
    ['stripe id', { id: name() }],
    ['stripe type', { event: { type: name() } }],
    ['stripe account', { event: { account: name() } }],
    ['standard amount', { amount: name() }],
    ['standard time', { paidAt: name() }],
    ['standard number', { payNo: name() }],
    ['standard type', { type: name() }],
  ];
}

function signatureHeaders(text: string): Record<string, string> {
  return { 'webhook-signature': `v1,${text}`, 'stripe-signature': `t=1,v1=${text}`, 'wechatpay-signature': text, authorization: `Bearer ${text}`, cookie: `session=${text}`, 'user-agent': text, 'x-forwarded-for': text };
}

const ANSWER_TIMEOUT_MS = 10_000;

/** Node's own client: fetch would refuse some of these headers and bodies. @returns 0 when no answer came. */
function post({ origin, signatures, answers }: Wire, { path, headers }: SignedWebhook, body: string | Buffer, added: Readonly<Record<string, string>>): Promise<number> {
  for (const value of signaturesIn(headers, body)) signatures.add(value);
  return new Promise((resolve) => {
    const sending = request(origin() + path, { method: 'POST', headers: { ...headers, ...added, 'content-length': Buffer.byteLength(body) }, timeout: ANSWER_TIMEOUT_MS }, (response) => {
      let text = JSON.stringify(response.headers);
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('close', () => {
        answers.push(text);
        resolve(response.statusCode ?? 0);
      });
    });
    sending.on('error', () => resolve(0));
    sending.end(body);
  });
}

function signaturesIn(headers: Readonly<Record<string, string>>, body: string | Buffer): string[] {
  const ofForm = new URLSearchParams(body.toString()).get('sign') ?? '';
  const all = [headers['webhook-signature']?.slice(3), headers['stripe-signature']?.split('v1=')[1], headers['wechatpay-signature'], ofForm];
  return all.filter((value) => value !== undefined && value.length > 20) as string[];
}
