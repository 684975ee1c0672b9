import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, readIfThere } from './fingerprint.mjs';
import { run } from './report.mjs';

/** `prisma generate`, when the schema or the Prisma version has changed since the client was generated. */
export function generatedClientStep(root) {
  const folder = join(root, 'src', 'generated');
  const mark = join(folder, '.fingerprint');

  return {
    isNeeded: () => !existsSync(join(folder, 'prisma', 'client.ts')) || readIfThere(mark) !== schemaFingerprint(root),
    async run() {
      const wanted = schemaFingerprint(root);
      const modules = join(root, 'node_modules');
      await run([join(modules, '.bin', 'node'), join(modules, 'prisma', 'build', 'index.js'), 'generate'], {
        title: 'generating the database client',
        remedy: 'If the schema was changed by hand, put it right (see above). Else delete node_modules and start again.',
        cwd: root,
        env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
      });
      mkdirSync(folder, { recursive: true });
      writeFileSync(mark, wanted);
    },
  };
}

function schemaFingerprint(root) {
  const folder = join(root, 'prisma');
  const schema = readdirSync(folder).filter((name) => name.endsWith('.prisma')).sort().map((name) => join(folder, name));
  const version = join(root, 'node_modules', 'prisma', 'package.json');
  return fingerprint([...schema, join(root, 'prisma.config.ts'), ...(existsSync(version) ? [version] : [])]);
}
