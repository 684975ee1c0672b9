import { chownSync, renameSync, writeFileSync } from 'node:fs';
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
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(`${file}.new`, text, { mode: OWNER_ONLY });
    if (user !== null) chownSync(`${file}.new`, user.uid, user.gid);
    renameSync(`${file}.new`, file);
    return file;
  };
  return { certificateFile: write(CERTIFICATE_FILE, certificate), keyFile: write(KEY_FILE, key) };
}
