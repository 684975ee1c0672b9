import { closeSync, fchownSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from './self-signed.ts';
import type { ServerUser } from './server-user.ts';

/**
 * By what a server of ours is told from whoever else may listen on its port: any user of this machine can, while the
 * server is away. Clients speak TLS to it and trust this one certificate, so that nobody else is told a password.
 */
export interface ServerIdentity {
  /** Absolute paths of PEM files, which only their owner can read. */
  readonly certificateFile: string;
  readonly keyFile: string;
}

export const CERTIFICATE_FILE = 'certificate.pem';
export const KEY_FILE = 'key.pem';
const OWNER_ONLY = 0o600;

/**
 * Made anew at every start of the server: nothing runs out, and files that are lost, damaged, of another machine or of a
 * release that had none need no care. Clients read the certificate whenever they connect.
 * @param user who runs the server and must read the key.
 */
export function writeServerIdentity(folder: string, server: string, user: ServerUser | null = null): ServerIdentity {
  const { certificate, key } = selfSigned(`paynotify ${server}`);
  return { certificateFile: write(join(folder, CERTIFICATE_FILE), certificate, user), keyFile: write(join(folder, KEY_FILE), key, user) };
}

/** Root writes into a folder that may be that user's: it writes through no link that lies there. */
function write(file: string, text: string, user: ServerUser | null): string {
  const next = `${file}.new`;
  rmSync(next, { force: true });
  const descriptor = openSync(next, 'wx', OWNER_ONLY);
  try {
    if (user !== null) fchownSync(descriptor, user.uid, user.gid);
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
  renameSync(next, file);
  return file;
}
