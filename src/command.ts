import { request } from 'node:http';
import { complain, LAST_LINES_LIMIT_MS } from './complain.ts';
import { readCommandConfig, type CommandConfig, type Environment } from './config.ts';
import { ConfigError } from './contracts/errors.ts';
import { loopbackOf } from './platform/http/addresses.ts';
import { readGeneratedTokens } from './platform/http/tokens.ts';
import { standardOutput } from './platform/observe/log-output.ts';

/*
 * What is asked beside a running program, in a second terminal or by `docker exec … node src/main.ts COMMAND`. None of it
 * starts anything, takes the lock of the data directory or writes into it.
 */
type Command = (config: CommandConfig, print: (line: string) => void) => Promise<void>;

const COMMANDS: Readonly<Record<string, Command>> = { tokens: showTokens, health: askWhetherAlive };

const DONE = 0;
/** An image's own health check has 5 s. */
const ANSWER_LIMIT_MS = 4_000;

/** @returns the exit code. */
export async function runCommand(args: readonly string[], environment: Environment): Promise<number> {
  const output = standardOutput();
  const code = await carryOut(args, environment, (line) => output.write(`${line}\n`)).then(() => DONE, complain);
  await output.drain(LAST_LINES_LIMIT_MS);
  return code;
}

/** @throws ConfigError that says what is wrong and what to do. */
export async function carryOut([name = '', ...rest]: readonly string[], environment: Environment, print: (line: string) => void): Promise<void> {
  const command = Object.hasOwn(COMMANDS, name) && rest.length === 0 ? COMMANDS[name] : undefined;
  if (command === undefined) throw new ConfigError(`"${[name, ...rest].join(' ')}" is no command. Commands are ${Object.keys(COMMANDS).join(' and ')}; without one, paynotify is started.`);
  await command(readCommandConfig(environment), print);
}

async function showTokens(config: CommandConfig, print: (line: string) => void): Promise<void> {
  const generated = await readGeneratedTokens(config.dataDirectory, config);
  if (generated === null) throw new ConfigError(`There are no tokens in ${config.dataDirectory}: the first start generates them. If it was started with another PAYNOTIFY_DATA, give the same here.`);
  for (const [kind, variable] of [['service', 'PAYNOTIFY_SERVICE_TOKENS'], ['admin', 'PAYNOTIFY_ADMIN_TOKENS']] as const) {
    const named = generated[kind];
    if (named === null) print(`${kind} token: as configured in ${variable}, of which only the hash is known`);
    else for (const [owner, token] of Object.entries(named)) print(`${kind} token (${owner}): ${token}`);
  }
}

/** Alive, not ready: a container must not be restarted because a server it waits for is away. */
async function askWhetherAlive({ http: { host, port } }: CommandConfig, print: (line: string) => void): Promise<void> {
  const where = `${host} port ${port}`;
  const status = await new Promise<number>((resolve, reject) => {
    const asked = request({ host: loopbackOf(host), port, path: '/health/live', timeout: ANSWER_LIMIT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)));
    asked.on('error', reject);
    asked.end();
  }).catch((error: unknown) => {
    throw new ConfigError(`Nothing answers on ${where}: ${(error as Error).message}.`, { cause: error });
  });
  if (status !== 200) throw new ConfigError(`What listens on ${where} answered ${status}.`);
  print('alive');
}
