/**
 * The second line of defence: no code means to log a secret or anything about a buyer, and what slips in nevertheless
 * (an error of a client that quotes its URL, an object with more in it than was thought) is taken out of the finished
 * line. So it holds at every depth, in messages, stacks and texts inside of texts, which paths of an object would not.
 * It goes by names and shapes and cannot know a secret that has neither.
 */
export const CENSOR = '[redacted]';

/** Members whose value is never to be read, whoever owns them; in any spelling of case, `_` and `-`. */
const SECRET_NAMES = [
  'authorization', 'proxy-authorization', 'cookie', 'set-cookie',
  'webhook-signature', 'stripe-signature', 'wechatpay-signature', 'signature', 'sign',
  'password', 'passwd', 'pwd', 'secret', 'client_secret', 'token', 'access_token', 'api_key', 'api_v3_key', 'private_key', 'connection_string',
  // Node quotes the text that is no URL in its error.
  'input',
];

/** What providers call what they tell of a buyer. */
const BUYER_NAMES = [
  'buyer_id', 'buyer_user_id', 'buyer_logon_id', 'buyer_open_id', 'passback_params', 'fund_bill_list', 'voucher_detail_list',
  'openid', 'sub_openid', 'attach', 'payer_client_ip', 'device_id', 'user_received_account', 'ciphertext',
  'receipt_email', 'email', 'phone', 'last4', 'fingerprint', 'shipping', 'billing_details', 'customer_details', 'last_payment_error',
];

const NAMES = [...SECRET_NAMES, ...BUYER_NAMES].map((name) => name.replaceAll(/[_-]/g, '[_-]?')).join('|');

/** A JSON string, number, word, or an object or list without another inside. */
const VALUE = String.raw`"(?:[^"\\]|\\.)*"|\{[^{}]*\}|\[[^[\]]*\]|[^\s",{}[\]]+`;
const MEMBER = new RegExp(String.raw`"(${NAMES})"\s*:\s*(?:${VALUE})`, 'gi');
/** The same inside of a text: a body that was logged as a string. */
const QUOTED_MEMBER = new RegExp(String.raw`\\"(${NAMES})\\"\s*:\s*(?:\\"[^"]*"|[^\s"\\,{}[\]]+)`, 'gi');
const FORM_PARAMETER = new RegExp(String.raw`(?<![\w-])(${NAMES})=[^&\s"\\]+`, 'gi');
/** What a URL can be in: it has no blank, and in a line of JSON neither a quote nor a backslash. */
const WORD = /[^\s"\\]+/g;
const SCHEME_CHARACTER = /[a-z0-9+.-]/i;
const LETTER = /[a-z]/i;
const CREDENTIALS = /\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}/g;
const OUR_OWN = /\b(whsec_|paynotify_admin_|paynotify_service_)[A-Za-z0-9+/=_-]{8,}/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|$)/gs;

/**
 * As greedy as can be: a password with an unescaped `@` or `/` is what makes clients quote their URL. By hand, because
 * every expression for it looks from each letter for the end of a scheme, and the time would be the length's square.
 */
function hidePassword(word: string): string {
  const passwordEnd = word.lastIndexOf('@');
  for (let at = word.indexOf('://'); at !== -1 && at < passwordEnd; at = word.indexOf('://', at + 3)) {
    const userEnd = endOfUser(word, at + 3);
    if (word[userEnd] === ':' && userEnd + 1 < passwordEnd && endsAScheme(word, at)) return `${word.slice(0, userEnd)}:${CENSOR}${word.slice(passwordEnd)}`;
  }
  return word;
}

function endOfUser(word: string, start: number): number {
  let end = start;
  while (end < word.length && !':/@'.includes(word.charAt(end))) end++;
  return end;
}

/** A scheme begins with a letter. What is before that is no part of it. */
function endsAScheme(word: string, end: number): boolean {
  let start = end - 1;
  while (SCHEME_CHARACTER.test(word.charAt(start)) && !LETTER.test(word.charAt(start))) start--;
  return LETTER.test(word.charAt(start));
}

/** Takes time in proportion to the length, as whatever reads what strangers write. @param line one finished log line, JSON. @returns the same with everything by these names and shapes replaced; JSON still. */
export function redactLine(line: string): string {
  return line
    .replace(MEMBER, `"$1":"${CENSOR}"`)
    .replace(QUOTED_MEMBER, String.raw`\"$1\":\"${CENSOR}\"`)
    .replace(FORM_PARAMETER, `$1=${CENSOR}`)
    .replace(WORD, hidePassword)
    .replace(CREDENTIALS, `$1 ${CENSOR}`)
    .replace(OUR_OWN, `$1${CENSOR}`)
    .replace(PRIVATE_KEY, CENSOR);
}
