import pg from 'pg';
import type { Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';

/*
 * Many requests at one window. A session of the test's own holds what the window is made of (a row, a table, a module's lock,
 * a key that another row has), all requests are sent, to both applications in turn, and nobody goes on before each of them
 * either waits for a lock or has its answer. So every one of them has read what it reads in front of the window.
 */

export interface Call {
  readonly method?: 'POST' | 'PUT';
  readonly path: string;
  readonly body?: object;
  readonly as?: 'admin' | 'service';
}

export interface Told {
  readonly status: number;
  /** Of a refusal: the end of its type. */
  readonly code: string | null;
  readonly detail: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Window {
  /** Statements that take hold of it. */
  readonly hold: string;
  /** What happens in it, once everybody waits. By default it is let go with nothing done. */
  readonly then?: (session: pg.Client) => Promise<unknown>;
  readonly end?: 'COMMIT' | 'ROLLBACK';
  /** Sessions that wait for a lock and belong to none of the requests. */
  readonly others?: number;
}

export interface Racing {
  readonly site: Site;
  /** Where the applications listen. */
  readonly bases: readonly string[];
}

const QUEUED_WITHIN_MS = 15_000;
const WAITING = `SELECT count(*)::int AS sessions FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'paynotify' AND wait_event_type = 'Lock'`;

export async function race({ site, bases }: Racing, { hold, then, end = 'COMMIT', others = 0 }: Window, calls: readonly Call[]): Promise<Told[]> {
  const session = new pg.Client({ connectionString: site.databaseUrl, application_name: 'the test' });
  await session.connect();
  try {
    await session.query(`BEGIN; ${hold}`);
    let answered = 0;
    const answers = calls.map((call, n) => send(site, bases[n % bases.length] as string, call).finally(() => answered++));
    await until('every request at the window', QUEUED_WITHIN_MS, async () => {
      const [row] = await site.query<{ sessions: number }>(WAITING);
      return (row?.sessions ?? 0) - others + answered >= calls.length ? true : null;
    });
    await then?.(session);
    await session.query(end);
    return await Promise.all(answers);
  } finally {
    await session.end();
  }
}

export async function send(site: Site, base: string, { method = 'POST', path, body, as = 'admin' }: Call): Promise<Told> {
  const headers = { authorization: `Bearer ${site.tokens[as]}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const response = await fetch(base + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const json = (await response.json()) as Record<string, unknown> & { readonly type?: string; readonly detail?: string };
  const code = /^urn:paynotify:problem:(.*)$/.exec(json.type ?? '')?.[1] ?? null;
  return { status: response.status, code, detail: json.detail ?? '', json };
}

/** How many got which answer, e.g. `{ '200': 1, '409 replay-finished': 19 }`. */
export function tally(answers: readonly Told[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const { status, code } of answers) {
    const word = code === null ? String(status) : `${status} ${code}`;
    counted[word] = (counted[word] ?? 0) + 1;
  }
  return counted;
}
