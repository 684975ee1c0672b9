import { once } from 'node:events';
import { EventStoreDBClient, FORWARDS, START } from '@eventstore/db-client';
import pg from 'pg';
import { Connection } from 'rabbitmq-client';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';

/** Everything that an installation writes down or says, as text to be searched. */

/** Every event of the log, the store's own included, with all that is stored beside its data. */
export async function eventsOf(eventStoreUrl: string): Promise<string> {
  const client = EventStoreDBClient.connectionString(eventStoreUrl);
  const lines: string[] = [];
  try {
    for await (const { event } of client.readAll({ direction: FORWARDS, fromPosition: START })) lines.push(JSON.stringify(event, inFull));
  } finally {
    await client.dispose();
  }
  return lines.join('\n');
}

/** Every row of every table of the database; bytes come as hex. */
export async function rowsOf(databaseUrl: string): Promise<{ readonly text: string; readonly tables: readonly string[] }> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
       WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    );
    const lines: string[] = [];
    for (const { name } of rows) {
      const content = await client.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM ${name} t`);
      lines.push(...content.rows.map(({ row }) => `${name} ${row}`));
    }
    return { text: lines.join('\n'), tables: rows.map(({ name }) => name) };
  } finally {
    await client.end();
  }
}

export interface Listener {
  /** All messages published since it was opened, properties and headers included. */
  heard(): string;
  close(): Promise<void>;
}

/** A service of somebody else with a queue of its own on the exchange. */
export async function listen(rabbitMqUrl: string): Promise<Listener> {
  const connection = new Connection({ url: rabbitMqUrl, tls: brokerTls(rabbitMqUrl) });
  connection.on('error', () => undefined);
  const messages: string[] = [];
  const consumer = connection.createConsumer(
    { queue: 'somebody-else', queueOptions: { exclusive: true }, queueBindings: [{ exchange: PAYNOTIFY_EXCHANGE }], noAck: true },
    (message) => void messages.push(JSON.stringify(message, inFull)),
  );
  await once(consumer, 'ready');
  return {
    heard: () => messages.join('\n'),
    async close() {
      await consumer.close();
      await connection.close();
    },
  };
}

function inFull(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  // JSON.stringify has already asked a Buffer for its JSON by now.
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  if (type === 'Buffer' && Array.isArray(data)) return Buffer.from(data as number[]).toString('utf8');
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
}
