/**
 * Signs a webhook like a payment provider would and sends it to a running paynotify, for people who try it.
 *
 *     npm run webhook -- --help
 */
import { readConfig } from '../src/config.ts';
import { generateDemoAccounts, OutcomeNotSentError, signNotification, type OutcomeToSign, type SignedWebhook, type SigningKey } from '../src/modules/payments/index.ts';
import { openableUrl } from '../src/platform/http/addresses.ts';
import { readInstallation, type Installation } from './installation.ts';
import { HELP, readOptions, UsageError, type WebhookOptions } from './webhook/options.ts';
import { toOutcome, type KnownPayment } from './webhook/outcome.ts';

/** Providers give up at about this time. */
const ANSWER_TIMEOUT_MS = 5_000;
const ACKNOWLEDGEMENTS = [200, 204];
const REFUSAL = 401;

/** @returns the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  const config = readConfig(process.env);
  const base = (options.url ?? openableUrl(config.http.host, config.http.port)).replace(/\/$/, '');
  const installation = await readInstallation(config.dataDirectory);
  const payment = await askFor(base, options.payNo, installation.serviceToken);
  const outcome = toOutcome(options, payment, new Date());
  const key = await keyFor(options, payment, installation);
  const accepted = options.isBadlySigned ? [REFUSAL] : ACKNOWLEDGEMENTS;
  const times = options.isDuplicate ? 2 : 1;
  let isAsWanted = true;
  for (let count = 0; count < times; count++) {
    const webhook = signNotification(key, outcome);
    if (options.isOnlyPrinted) printWhole(base, webhook);
    else if (!accepted.includes(await send(base, webhook, outcome))) isAsWanted = false;
  }
  return isAsWanted ? 0 : 1;
}

/** @returns null when paynotify does not know the payment. @throws Error when it cannot be asked. */
async function askFor(base: string, payNo: string, serviceToken: string): Promise<KnownPayment | null> {
  const response = await fetch(`${base}/payments/${payNo}`, { headers: { authorization: `Bearer ${serviceToken}` } }).catch((error: unknown) => {
    throw new Error(`there is no paynotify at ${base}. Start it with "npm start", or say with --url where it is.`, { cause: error });
  });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`GET /payments/${payNo} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as KnownPayment;
}

async function keyFor(options: WebhookOptions, payment: KnownPayment | null, { signingKeys }: Installation): Promise<SigningKey> {
  const provider = options.provider ?? payment?.provider;
  if (provider === undefined) throw new UsageError(`payment ${options.payNo} is not known to paynotify; --provider must say which one is to send`);
  const account = options.account ?? (payment?.provider === provider ? payment.account : signingKeys.find((key) => key.provider === provider)?.account);
  const key = signingKeys.find((candidate) => candidate.provider === provider && candidate.account === account);
  if (key === undefined) throw new UsageError(`there is no generated signing key for ${provider}/${account ?? 'demo'}; there are ${signingKeys.map((known) => `${known.provider}/${known.account}`).join(', ')}`);
  return options.isBadlySigned ? withForeignSecret(key) : key;
}

/** The same account, with the secret of somebody else's. */
async function withForeignSecret(key: SigningKey): Promise<SigningKey> {
  const [foreign] = (await generateDemoAccounts([key.provider])).signingKeys;
  const secret = foreign !== undefined && 'secret' in foreign ? { secret: foreign.secret } : {};
  const privateKey = foreign !== undefined && 'privateKey' in foreign ? { privateKey: foreign.privateKey } : {};
  return { ...key, ...secret, ...privateKey };
}

/** @returns the status of the answer. */
async function send(base: string, webhook: SignedWebhook, outcome: OutcomeToSign): Promise<number> {
  console.log(`POST ${base}${webhook.path}`);
  console.log(`  says       ${outcome.kind}: payment ${outcome.payNo}, trade ${outcome.tradeNo}, ${outcome.amount} ${outcome.currency}${partOf(outcome)}`);
  console.log(`  headers    ${Object.keys(webhook.headers).join(', ')}`);
  console.log(`  body       ${Buffer.byteLength(webhook.body)} bytes`);
  const startedAt = performance.now();
  const response = await fetch(`${base}${webhook.path}`, { method: 'POST', headers: webhook.headers, body: webhook.body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const text = await response.text();
  console.log(`  answered   ${response.status} in ${Math.round(performance.now() - startedAt)} ms${text === '' ? '' : `: ${text}`}`);
  return response.status;
}

/** The refund or dispute that it is about. */
function partOf(outcome: OutcomeToSign): string {
  if ('refundAmount' in outcome) return `, refund ${outcome.refundId} of ${outcome.refundAmount}`;
  return 'disputeId' in outcome ? `, dispute ${outcome.disputeId} of ${outcome.disputedAmount}` : '';
}

function printWhole(base: string, { path, headers, body }: SignedWebhook): void {
  console.log([`POST ${base}${path}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', body, ''].join('\n'));
}

run(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const isUsage = error instanceof UsageError || error instanceof OutcomeNotSentError || error instanceof RangeError;
    console.error(`webhook: ${(error as Error).message}${isUsage ? '\n         npm run webhook -- --help  lists the options' : ''}`);
    process.exitCode = isUsage ? 2 : 1;
  },
);
