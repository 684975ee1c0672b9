import { Connection } from 'rabbitmq-client';
import { brokerTls } from '../../../src/platform/broker/authority.ts';

/** The broker's client as it comes. Its errors reach whoever waits for it; without a listener they would end the process. */
export function openRawConnection(url: string): Connection {
  const connection = new Connection({ url, tls: brokerTls(url) });
  connection.on('error', () => undefined);
  return connection;
}
