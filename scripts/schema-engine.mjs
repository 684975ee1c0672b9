#!/usr/bin/env node
// Stand-in for Prisma's native schema engine, which is not in the npm registry: speaks the binary's protocol (JSON-RPC
// lines on stdin and stdout, `cli` subcommands with exit codes) and hands every call to the WASM build of the same
// engine. Chosen by prisma.config.ts only where the native binary is missing. Plain JavaScript, because the CLI starts
// it with whatever Node comes first on PATH.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';

const require = createRequire(import.meta.url);
const ENGINE = '@prisma/schema-engine-wasm/schema_engine_bg';

/** OID of the catalogue type `"char"`, which the engine's introspection reads and adapter-pg refuses. */
const OID_CHAR = 18;

/** JSON-RPC code under which the native engine reports an error a person should read. */
const USER_FACING_ERROR = 4466;

/** RPC names that differ from the method of the WASM class. */
const METHODS = { getDatabaseVersion: 'version' };

/**
 * Methods that need the schema the migrations lead to, but forget to hand over the means to open a shadow database for it.
 * They find it where `devDiagnostic` has computed it just before, on the same engine.
 */
const NEEDS_HISTORY = new Set(['evaluateDataLoss', 'createMigration']);

/** Maps `"char"` to text-like columns; everything else is adapter-pg's own. */
function readsCatalogueChar(queryable) {
  queryable.queryRaw = async function queryRaw(query) {
    const { fields, rows } = await this.performIO(query);
    const known = fields.filter((field) => field.dataTypeID !== OID_CHAR);
    const types = await columnTypesOf(this, known);
    return {
      columnNames: fields.map((field) => field.name),
      columnTypes: fields.map((field) => (field.dataTypeID === OID_CHAR ? ColumnTypeEnum.Character : types.shift())),
      rows,
    };
  };
  return queryable;
}

/** adapter-pg keeps its type table to itself: run its own queryRaw over the fields alone. */
async function columnTypesOf(queryable, fields) {
  const fieldsOnly = Object.create(queryable, { performIO: { value: async () => ({ fields, rows: [] }) } });
  const { columnTypes } = await Object.getPrototypeOf(queryable).queryRaw.call(fieldsOnly, {});
  return [...columnTypes];
}

/** adapter-pg splits a script at every semicolon, which breaks function bodies: send it whole, as the native engine does. */
function sendsScriptsWhole(adapter) {
  adapter.executeScript = async function executeScript(script) {
    try {
      await this.client.query(script);
    } catch (error) {
      this.onError(error);
    }
  };
  return adapter;
}

function repaired(adapter) {
  const startTransaction = adapter.startTransaction.bind(adapter);
  adapter.startTransaction = async (isolation) => readsCatalogueChar(await startTransaction(isolation));
  return sendsScriptsWhole(readsCatalogueChar(adapter));
}

function poolConfig(url, database) {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema') ?? 'public';
  parsed.searchParams.delete('schema');
  if (database !== undefined) parsed.pathname = `/${encodeURIComponent(database)}`;
  // One connection: the advisory lock and the session settings of a migration belong to a session.
  return { config: { connectionString: parsed.href, max: 1, options: `-c search_path="${schema}"` }, schema };
}

async function connect(url, database) {
  const { config, schema } = poolConfig(url, database);
  return disposedOnce(repaired(await new PrismaPg(config, { schema }).connect()));
}

/** Runs one statement in the server's maintenance database. */
async function onServer(url, statement) {
  const client = new pg.Client(poolConfig(url, 'postgres').config);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The engine disposes of some adapters itself, and a pool can be ended only once. */
function disposedOnce(adapter, afterwards = async () => {}) {
  const dispose = adapter.dispose.bind(adapter);
  let disposed;
  adapter.dispose = () => (disposed ??= dispose().then(afterwards));
  return adapter;
}

/** A fresh database beside the real one; it is never the real one, and is dropped when the engine is done with it. */
async function connectToShadow(url) {
  const name = `prisma_migrate_shadow_db_${randomUUID()}`;
  await onServer(url, `CREATE DATABASE "${name}"`);
  const adapter = await connect(url, name);
  return disposedOnce(adapter, () => onServer(url, `DROP DATABASE "${name}" WITH (FORCE)`));
}

function adapterFactory({ url, shadowDatabaseUrl = url }, opened) {
  const keep = async (adapter) => {
    opened.push(await adapter);
    return adapter;
  };
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => keep(connect(url)),
    connectToShadowDb: () => keep(connectToShadow(shadowDatabaseUrl)),
  };
}

async function loadBindings() {
  const bindings = await import(ENGINE);
  const wasm = readFileSync(require.resolve(ENGINE).replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => log('ERROR', { message, is_panic: true }) };
  return bindings;
}

/**
 * Runs one request on an engine and connections of its own, so that no state of an earlier one is in the way. Unlike the
 * native engine this one connects at once, even to compare two files.
 */
async function withEngine({ datamodels, datasource }, use) {
  if (!datasource.url) throw new Error('DATABASE_URL is not set. The WASM schema engine needs a database for every command.');
  const { SchemaEngine } = await (bindings ??= loadBindings());
  const opened = [];
  const factory = bindMigrationAwareSqlAdapterFactory(adapterFactory(datasource, opened));
  const files = datamodels.map((path) => [path, readFileSync(path, 'utf8')]);
  try {
    return await use(await SchemaEngine.new({ datamodels: files.length > 0 ? files : undefined }, () => {}, factory));
  } finally {
    for (const adapter of opened) await adapter.dispose();
  }
}

let bindings;

function log(level, fields) {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level, target: 'schema_engine::logger', fields })}\n`);
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

async function call(options, { method, params }) {
  const name = METHODS[method] ?? method;
  return withEngine(options, async (engine) => {
    if (typeof engine[name] !== 'function') throw new Error(`The WASM schema engine has no method "${method}".`);
    if (NEEDS_HISTORY.has(name)) await engine.devDiagnostic({ migrationsList: params.migrationsList, filters: params.filters });
    return engine[name](params);
  });
}

/**
 * A failure, also of the connection, is the answer to the request: were the process to end instead, the CLI would wait
 * for an end that is already past, and exit with code 0.
 */
async function answer(options, request) {
  const { id, method } = request;
  try {
    const result = await call(options, request);
    // The native engine prints a diff itself, through a request of its own to the CLI.
    if (method === 'diff' && result.stdout) send({ id: 0, method: 'print', params: { content: result.stdout } });
    send({ id, result: result ?? {} });
  } catch (error) {
    const data = { is_panic: false, message: error.message ?? String(error), error_code: error.code ?? null };
    send({ id, error: { code: USER_FACING_ERROR, message: data.message, data } });
  }
}

async function serve(options) {
  // One request after the other, as the native engine answers them. The CLI's replies to `print` carry no method.
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (request.method !== undefined) await answer(options, request);
  }
  process.exit(0);
}

const COMMANDS = {
  'can-connect-to-database': async (url) => (await connect(url)).executeScript('SELECT 1'),
  'create-database': async (url) => onServer(url, `CREATE DATABASE "${databaseName(url)}"`),
  'drop-database': async (url) => onServer(url, `DROP DATABASE "${databaseName(url)}" WITH (FORCE)`),
};

function databaseName(url) {
  return decodeURIComponent(new URL(url).pathname.slice(1)).replaceAll('"', '""');
}

/** Codes under which the CLI knows what happened; it creates the database on P1003. */
function errorCode(error) {
  const kind = error.cause?.kind;
  if (kind === 'DatabaseDoesNotExist') return 'P1003';
  if (kind === 'AuthenticationFailed') return 'P1000';
  return 'P1001';
}

async function runCommand(command, url) {
  try {
    await COMMANDS[command](url);
    process.exit(0);
  } catch (error) {
    process.stderr.write('\n'); // The CLI skips the first line.
    log('ERROR', { message: error.message, error_code: errorCode(error), is_panic: false });
    process.exit(1);
  }
}

function parseArguments(args) {
  const options = { datamodels: [], datasource: {}, command: undefined, version: false };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--version') options.version = true;
    else if (args[i] === '--datamodels') options.datamodels.push(args[++i]);
    else if (args[i] === '--datasource') options.datasource = JSON.parse(args[++i]);
    else if (args[i] === 'cli') options.command = args[++i];
    else i++; // Every other option of the engine takes one value.
  }
  return options;
}

const options = parseArguments(process.argv.slice(2));
if (options.version) {
  const packageFile = JSON.parse(readFileSync(new URL('./package.json', pathToFileURL(require.resolve(ENGINE))), 'utf8'));
  process.stdout.write(`schema-engine-cli ${packageFile.version.split('.').at(-1)}\n`);
} else if (options.command !== undefined) {
  await runCommand(options.command, options.datasource.url);
} else {
  await serve(options);
}
