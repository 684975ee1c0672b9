import { join } from 'node:path';
import { selfSigned } from './self-signed.ts';
import { writeFor, type Owner } from './server-files.ts';

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

/**
 * Made anew at every start of the server: nothing runs out, and files that are lost, damaged, of another machine or of a
 * release that had none need no care. Clients read the certificate whenever they connect.
 * @param user who runs the server and must read the key.
 */
export function writeServerIdentity(folder: string, server: string, user: Owner | null = null): ServerIdentity {
  const { certificate, key } = selfSigned(`paynotify ${server}`);
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFor(user, file, text);
    return file;
  };
  return { certificateFile: write(CERTIFICATE_FILE, certificate), keyFile: write(KEY_FILE, key) };
}
