import { randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Local ports of the embedded servers: chosen free at first, kept across restarts, chosen anew when a stranger took one. */
export interface Ports {
  /** The remembered port of this name if it is free now, else a new free one, which is remembered from now on. */
  take(name: string): Promise<number>;
  /** Lets go of a remembered port, so that the next `take` chooses anew. */
  forget(name: string): void;
}

/** Below the range that systems hand out to outgoing connections, one of which would now and then sit on a remembered port. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const TRIES_MAX = 100;

export function openPorts(file: string): Ports {
  const remembered = read(file);
  // Two servers starting at once must not be given the same port, so the choices are made one after the other.
  let turn: Promise<unknown> = Promise.resolve();

  async function choose(name: string): Promise<number> {
    const former = remembered.get(name);
    if (former !== undefined && (await isFree(former))) return former;
    const taken = new Set(remembered.values());
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const port = randomInt(PORT_MIN, PORT_MAX);
      if (taken.has(port) || !(await isFree(port))) continue;
      remembered.set(name, port);
      write(file, remembered);
      return port;
    }
    throw new Error(`no free local port between ${PORT_MIN} and ${PORT_MAX} was found in ${TRIES_MAX} tries`);
  }

  return {
    take(name) {
      const chosen = turn.then(() => choose(name));
      turn = chosen.catch(() => undefined);
      return chosen;
    },
    forget: (name) => void remembered.delete(name),
  };
}

/** A missing or damaged file only means that ports are chosen anew. */
function read(file: string): Map<string, number> {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])));
  } catch {
    return new Map();
  }
}

function write(file: string, ports: ReadonlyMap<string, number>): void {
  const next = `${file}.new`;
  writeFileSync(next, `${JSON.stringify(Object.fromEntries(ports), null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

/** Whether a server could listen there. A stranger may still be faster than our server, whose start then fails and asks anew. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
