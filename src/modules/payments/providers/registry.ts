import { alipay } from './alipay.ts';
import type { Provider } from './provider.ts';
import { standardWebhooks } from './standard-webhooks.ts';

/** All providers. Adding one is its file and a line here. */
const PROVIDERS: readonly Provider[] = [standardWebhooks, alipay];

export const providersByName: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((provider) => [provider.name, provider]));
