import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'prisma/config';

// The CLI loads this file before it looks for its native schema engine, which only a download host offers. Where that
// host cannot be reached, the WASM build of the same engine stands in. PRISMA_SCHEMA_ENGINE_BINARY still wins.
const engines = new URL('./node_modules/@prisma/engines/', import.meta.url);
const hasNativeEngine = existsSync(engines) && readdirSync(engines).some((name) => name.startsWith('schema-engine-'));
if (!hasNativeEngine) {
  process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= fileURLToPath(new URL('./scripts/schema-engine.mjs', import.meta.url));
}

// Without a URL the datasource is left out: `prisma generate` and `validate` need no database.
const url = process.env.DATABASE_URL;

export default defineConfig({
  schema: 'prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url ? { datasource: { url } } : {}),
});
