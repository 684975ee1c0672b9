import { alipay } from './alipay.ts';
import type { Provider } from './provider.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { stripe } from './stripe.ts';
import { wechatpay } from './wechatpay.ts';

/** All providers. Adding one is its file and a line here. */
const PROVIDERS: readonly Provider[] = [standardWebhooks, alipay, wechatpay, stripe];

export const providersByName: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((provider) => [provider.name, provider]));
