import { parseArgs } from 'node:util';
import { parseMinorUnits } from '../../src/contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, REASON_PATTERN, type DisputeFunds } from '../../src/contracts/payment-notifications.ts';
import type { SigningKey } from '../../src/modules/payments/index.ts';

/** What the command line asks for. Undefined = as the payment says, or made up. */
export interface WebhookOptions {
  readonly payNo: string;
  readonly provider: SigningKey['provider'] | undefined;
  readonly account: string | undefined;
  readonly kind: Kind;
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  readonly tradeNo: string | undefined;
  readonly refundId: string | undefined;
  readonly refundAmount: string | undefined;
  readonly disputeId: string | undefined;
  readonly disputeAmount: string | undefined;
  readonly dueBy: Date | undefined;
  readonly funds: DisputeFunds | undefined;
  readonly outcome: string | undefined;
  readonly reason: string | undefined;
  readonly notificationId: string | undefined;
  readonly url: string | undefined;
  readonly isDuplicate: boolean;
  readonly isBadlySigned: boolean;
  readonly isOnlyPrinted: boolean;
}

export const KINDS = ['succeeded', 'failed', 'closed', 'refunded', 'refund-failed', 'disputed', 'dispute-closed'] as const;
export type Kind = (typeof KINDS)[number];
const FUNDS: readonly DisputeFunds[] = ['unchanged', 'withdrawn', 'reinstated'];
const PROVIDERS: readonly SigningKey['provider'][] = ['standard', 'alipay', 'wechatpay', 'stripe'];

/** The command line makes no sense; the message says how it would. */
export class UsageError extends Error {}

export const HELP = `Signs and sends a webhook like a payment provider would, with the keys of the generated demo accounts.

    npm run webhook -- --pay-no <payNo> [options]        (beside a running npm start, with its PORT and PAYNOTIFY_DATA)

  --pay-no <payNo>            the payment; POST /orders/:orderId/payments gave its number
  --provider <name>           ${PROVIDERS.join(', ')}; the payment's own by default
  --account <name>            the payment's own by default
  --kind <kind>               ${KINDS.join(', ')}; succeeded by default
  --amount <minor units>      what was paid or is disputed, 1999 for 19.99 CNY; what was asked for by default
  --currency <code>           ISO 4217; what was asked for by default
  --trade-no <id>             the provider's number of the payment; the one that paid it, or trade-<payNo>, by default
  --refund-id <id>            refund-<payNo> by default; another one is another refund
  --refund-amount <minor units>   what is not refunded yet by default; of a failed refund what was refunded
  --dispute-id <id>           dispute-<payNo> by default; another one is another dispute
  --dispute-amount <minor units>  what is disputed; what was paid by default
  --due-by <time>             until when evidence is taken, e.g. 2026-12-01T00:00:00Z; none by default
  --funds <word>              ${FUNDS.join(', ')}: what a dispute has done with the money; unchanged by default
  --outcome <word>            how a dispute ended: won, lost or another word of the provider; lost by default
  --reason <word>             of a failure or a dispute; card_declined, ABNORMAL or fraudulent by default
  --notification-id <id>      random by default
  --duplicate                 sends it twice, signed afresh, as providers do
  --bad-signature             signs with a key that is not the account's
  --url <url>                 where paynotify is; by HOST and PORT by default
  --print                     shows the request with its headers and body, and sends nothing
  --help                      this text

Exit code 0 when every answer was an acknowledgement (with --bad-signature: a refusal, 401), 1 when not, 2 for a command
line that makes no sense.`;

const WORDS = {
  'pay-no': [new RegExp(PAY_NO_PATTERN), 'up to 64 letters, digits, hyphens or underscores'],
  account: [/^[a-z0-9][a-z0-9_-]{0,31}$/, 'up to 32 lower-case letters, digits, hyphens or underscores'],
  currency: [/^[A-Z]{3}$/, 'three capital letters, e.g. CNY'],
  'trade-no': [new RegExp(PROVIDER_ID_PATTERN), 'up to 128 visible ASCII characters'],
  'refund-id': [new RegExp(PROVIDER_ID_PATTERN), 'up to 128 visible ASCII characters'],
  'dispute-id': [new RegExp(PROVIDER_ID_PATTERN), 'up to 128 visible ASCII characters'],
  'notification-id': [new RegExp(PROVIDER_ID_PATTERN), 'up to 128 visible ASCII characters'],
  'due-by': [/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/, 'a time with its zone, e.g. 2026-12-01T00:00:00Z'],
  outcome: [new RegExp(REASON_PATTERN), 'one word of letters, digits, dots, colons, hyphens or underscores'],
  reason: [new RegExp(REASON_PATTERN), 'one word of letters, digits, dots, colons, hyphens or underscores'],
  url: [/^https?:\/\/[^/]+\/?$/, 'a URL without a path, e.g. http://127.0.0.1:8080'],
} as const satisfies Record<string, readonly [RegExp, string]>;

/** @returns null when help is asked for. @throws UsageError. */
export function readOptions(args: readonly string[]): WebhookOptions | null {
  const values = parse(args);
  if (values.help === true) return null;
  const word = (name: keyof typeof WORDS): string | undefined => {
    const value = values[name];
    const [pattern, mustBe] = WORDS[name];
    if (value !== undefined && !pattern.test(value)) throw new UsageError(`--${name} must be ${mustBe}; it is "${value}"`);
    return value;
  };
  const payNo = word('pay-no');
  if (payNo === undefined) throw new UsageError('--pay-no is missing: which payment is it about?');
  return {
    payNo,
    provider: oneOf('provider', PROVIDERS, values.provider),
    kind: oneOf('kind', KINDS, values.kind) ?? 'succeeded',
    account: word('account'),
    currency: word('currency'),
    tradeNo: word('trade-no'),
    refundId: word('refund-id'),
    disputeId: word('dispute-id'),
    dueBy: time('due-by', word('due-by')),
    funds: oneOf('funds', FUNDS, values.funds),
    outcome: word('outcome'),
    notificationId: word('notification-id'),
    reason: word('reason'),
    url: word('url'),
    amount: minorUnits('amount', values.amount),
    refundAmount: minorUnits('refund-amount', values['refund-amount']),
    disputeAmount: minorUnits('dispute-amount', values['dispute-amount']),
    isDuplicate: values.duplicate ?? false,
    isBadlySigned: values['bad-signature'] ?? false,
    isOnlyPrinted: values.print ?? false,
  };
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const KNOWN = {
  'pay-no': text, provider: text, account: text, kind: text, amount: text, currency: text, 'trade-no': text, 'refund-id': text, 'refund-amount': text,
  'dispute-id': text, 'dispute-amount': text, 'due-by': text, funds: text, outcome: text, reason: text, 'notification-id': text, url: text, duplicate: flag, 'bad-signature': flag, print: flag, help: flag,
} as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: KNOWN, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function oneOf<T extends string>(name: string, words: readonly T[], value: string | undefined): T | undefined {
  const found = words.find((known) => known === value);
  if (value !== undefined && found === undefined) throw new UsageError(`--${name} must be one of ${words.join(', ')}; it is "${value}"`);
  return found;
}

function minorUnits(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && parseMinorUnits(value) === null) throw new UsageError(`--${name} must be a whole number of minor units, e.g. 1999 for 19.99 CNY; it is "${value}"`);
  return value;
}

function time(name: keyof typeof WORDS, value: string | undefined): Date | undefined {
  if (value === undefined) return undefined;
  const found = new Date(value);
  if (Number.isNaN(found.getTime())) throw new UsageError(`--${name} must be ${WORDS[name][1]}; it is "${value}"`);
  return found;
}
