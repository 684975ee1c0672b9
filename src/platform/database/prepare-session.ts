import pg from 'pg';
import { withinMs } from '../process/time-limit.ts';
import { sessionSettings, type SessionSettings } from './connection.ts';
import { judgeSession, sharedSessions, type SessionFacts } from './judge-session.ts';

/*
 * Order, on every new connection before anything else: is it ours alone? (seldom looked at again: where sessions are shared,
 * what we SET would reach others) → SET what must not differ → ask, in a statement of its own, what the session is now →
 * refuse it, or use it. Whoever changes a server's, a database's or a role's defaults changes nothing here.
 */

/** Commits must be on disk before a message is acknowledged; what waits for more (remote_apply) is left as it is. */
const SET = `
  SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS t (name, value)
  UNION ALL
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`;

const ASK = `
  SELECT current_database()::text AS database, current_user::text AS role,
         current_setting('server_version_num')::int AS "versionNumber", current_setting('server_version') AS version,
         current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS "isStandby",
         current_setting('transaction_read_only') = 'on' AS "isReadOnly",
         (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS "readOnlySource",
         (SELECT json_object_agg(name, current_setting(name)) FROM unnest($1::text[]) AS name) AS settings`;

/**
 * A session for one who needs it for long; of a pool, see database.ts.
 * @throws DatabaseUnfitError when it may not be used; whatever `pg` throws when there is none.
 */
export async function openSession(databaseUrl: string, limits: SessionSettings['limits']): Promise<pg.Client> {
  const settings = sessionSettings(databaseUrl, limits);
  const client = new pg.Client(settings.connection);
  // The loss of the connection is told by the query that waits on it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await refuseSharedSession(client, settings);
    await prepareSession(client, settings);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** @throws DatabaseUnfitError when the session may not be used. */
export async function prepareSession(client: pg.ClientBase, { required, limits }: SessionSettings): Promise<void> {
  const values = { ...limits, ...required };
  await client.query(SET, [Object.keys(values), Object.values(values)]);
  const { rows } = await client.query<SessionFacts>(ASK, [Object.keys(required)]);
  const [facts] = rows as [SessionFacts];
  const unfit = judgeSession(facts, required);
  if (unfit !== null) throw unfit;
}

/** Two sessions are asked in turn: a pooler that shares them mostly hands out the one that was given back last. */
const LOOKS = 5;
/** A pooler in session mode that has no session left lets the second connection wait. */
const LOOK_TIMEOUT_MS = 1_000;

/**
 * Whether a session is ours until we end it. The server names its process when a connection begins; a pooler answers with a
 * number of its own, and only then is a second connection opened to find out more: one process that serves two open
 * connections, or one connection that is served by two, gives a shared session away, although each setting may seem to hold
 * while nobody else is there.
 * @throws DatabaseUnfitError when sessions are shared. A second connection that is not to be had proves nothing.
 */
export async function refuseSharedSession(client: pg.ClientBase, { connection }: SessionSettings): Promise<void> {
  const pid = await processOf(client);
  if ((client as { processID?: number | null }).processID === pid) return;
  const second = new pg.Client(connection);
  second.on('error', () => undefined);
  try {
    const [ours, theirs] = [new Set([pid]), new Set<number>()];
    await withinMs(LOOK_TIMEOUT_MS, second.connect().then(async () => theirs.add(await processOf(second)))).catch(() => undefined);
    for (let look = 0; theirs.size > 0 && look < LOOKS; look++) {
      ours.add(await processOf(client));
      theirs.add(await processOf(second));
    }
    if (ours.size > 1 || theirs.size > 1 || theirs.has(pid)) throw sharedSessions('one server process answers on two connections, or two on one');
  } finally {
    // One that still waits for its first answer is cut off.
    await second.end().catch(() => undefined);
  }
}

async function processOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}
