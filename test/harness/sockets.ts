import { readdir, readFile, readlink } from 'node:fs/promises';

/** Columns of /proc/net/tcp (proc(5)): local and remote address as `hex:hex`, state, and the inode that names the socket. */
const REMOTE_COLUMN = 2;
const STATE_COLUMN = 3;
const INODE_COLUMN = 9;

/** TCP sockets to this port of the machine that a process holds, in whatever state. @returns the state's code of each. */
export async function socketsTo(pid: number, port: number): Promise<string[]> {
  const held = await inodesOf(pid);
  const table = `${await readFile('/proc/net/tcp', 'utf8')}\n${await readFile('/proc/net/tcp6', 'utf8').catch(() => '')}`;
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => Number.parseInt(columns[REMOTE_COLUMN]?.split(':')[1] ?? '', 16) === port && held.has(columns[INODE_COLUMN] ?? ''))
    .map((columns) => columns[STATE_COLUMN] ?? '');
}

async function inodesOf(pid: number): Promise<ReadonlySet<string>> {
  const directory = `/proc/${pid}/fd`;
  const links = await Promise.all((await readdir(directory)).map((name) => readlink(`${directory}/${name}`).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}
