import { readFileSync } from 'node:fs';

/**
 * The client's option `tls`. Of an `amqps://` URL with `?cacertfile=` (RabbitMQ's "URI Query Parameters"): only who is vouched for by that PEM file is
 * told the password. It is read anew for each connection, because a private broker has another certificate after each start.
 * Where it cannot be read, nobody is believed.
 * @returns false for a URL without TLS, true where the authorities that Node knows are believed.
 */
export function brokerTls(url: string): boolean | { readonly ca: Buffer | [] } {
  const { protocol, searchParams } = new URL(url);
  if (protocol !== 'amqps:') return false;
  const file = searchParams.get('cacertfile');
  if (file === null) return true;
  try {
    return { ca: readFileSync(file) };
  } catch {
    return { ca: [] };
  }
}
