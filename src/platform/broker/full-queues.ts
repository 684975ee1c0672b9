import { PAYNOTIFY_EXCHANGE } from '../../contracts/topology.ts';

/*
 * The broker refuses a message (nack) when one queue bound to the exchange is full and has the overflow "reject-publish",
 * whatever all the others have done with it. AMQP names no queue: a private broker is asked by its own tools; for another
 * one the commands that tell are named.
 */

/** rabbitmqctl of a private broker: resolves with its output. */
export type BrokerTool = (args: readonly string[]) => Promise<string>;

export interface FullQueue {
  readonly name: string;
  readonly messages: number;
  /** Limit of messages; null: only its bytes are limited. */
  readonly messagesMax: number | null;
}

interface Binding {
  readonly source_name: string;
  readonly destination_name: string;
  readonly destination_kind: 'queue' | 'exchange';
}

interface ListedQueue {
  readonly name: string;
  readonly messages: number | '';
  /** Each as name, type and value. */
  readonly arguments: readonly (readonly [string, string, unknown])[];
  readonly policy: string;
}

interface Policy {
  readonly name: string;
  /** JSON. */
  readonly definition: string;
}

const MEANING = `a queue bound to ${PAYNOTIFY_EXCHANGE} is full and rejects what is published (overflow "reject-publish"), so the broker confirms nothing to us`;
const CURE = 'Empty it, raise its limit or unbind it; the payments wait until then, and none is lost';
/** More would hide the sentence; who has more has the command. */
const NAMED_MAX = 5;

/**
 * @returns what a nack means, for a person, with the queues that can be it. Never rejects.
 * @param tool null where the broker is not our own. @param vhost where the exchange is.
 */
export async function explainNack(tool: BrokerTool | null, vhost: string): Promise<string> {
  const commands = `rabbitmqctl list_bindings -p '${vhost}' tells which queues are bound, rabbitmqctl list_queues -p '${vhost}' name messages arguments policy which of them are full`;
  if (tool === null) return `${MEANING}; ${commands}. ${CURE}.`;
  try {
    const suspects = await askBroker(tool, vhost);
    return suspects.length === 0 ? `${MEANING}, though none with such a limit is found now; ${commands}. ${CURE}.` : `${MEANING}: ${named(suspects)}. ${CURE}.`;
  } catch {
    return `${MEANING}; ${commands}. ${CURE}.`;
  }
}

async function askBroker(tool: BrokerTool, vhost: string): Promise<FullQueue[]> {
  const list = async <T>(...args: string[]): Promise<T[]> => JSON.parse(await tool([...args, '-p', vhost, '--formatter', 'json'])) as T[];
  // One after the other: each takes most of a second of processor time.
  const bindings = await list<Binding>('list_bindings', 'source_name', 'destination_name', 'destination_kind');
  const queues = await list<ListedQueue>('list_queues', 'name', 'messages', 'arguments', 'policy');
  return fullQueues(bindings, queues, await list<Policy>('list_policies'));
}

/**
 * Pure: the queues that the exchange reaches, also over other exchanges, and that reject when they are full; only those that
 * are full, if any is. A quorum queue takes a few more than its limit, and an operator's policy may set a lower one.
 */
export function fullQueues(bindings: readonly Binding[], queues: readonly ListedQueue[], policies: readonly Policy[]): FullQueue[] {
  const reached = queuesBehind(PAYNOTIFY_EXCHANGE, bindings);
  const suspects = queues.filter(({ name }) => reached.has(name)).flatMap((queue) => rejecting(queue, policies));
  const full = suspects.filter(({ messages, messagesMax }) => messagesMax !== null && messages >= messagesMax);
  return full.length > 0 ? full : suspects;
}

function queuesBehind(exchange: string, bindings: readonly Binding[]): ReadonlySet<string> {
  const queues = new Set<string>();
  const exchanges = new Set([exchange]);
  // A set that grows while it is walked is walked to its end.
  for (const source of exchanges) {
    for (const binding of bindings) if (binding.source_name === source) (binding.destination_kind === 'queue' ? queues : exchanges).add(binding.destination_name);
  }
  return queues;
}

function rejecting(queue: ListedQueue, policies: readonly Policy[]): FullQueue[] {
  const policy = policies.find(({ name }) => name === queue.policy);
  const limits = policy === undefined ? {} : (JSON.parse(policy.definition) as Record<string, unknown>);
  const own = (name: string): unknown => queue.arguments.find(([argument]) => argument === `x-${name}`)?.[2];
  if (!String(own('overflow') ?? limits['overflow']).startsWith('reject-publish')) return [];
  const [messagesMax, bytesMax] = ['max-length', 'max-length-bytes'].map((name) => smaller(own(name), limits[name]));
  if (messagesMax === undefined && bytesMax === undefined) return [];
  return [{ name: queue.name, messages: Number(queue.messages), messagesMax: messagesMax ?? null }];
}

/** Of an argument and a policy the smaller limit holds. */
function smaller(...limits: readonly unknown[]): number | undefined {
  const known = limits.filter((limit) => typeof limit === 'number');
  return known.length === 0 ? undefined : Math.min(...known);
}

function named(queues: readonly FullQueue[]): string {
  const words = queues.slice(0, NAMED_MAX).map(({ name, messages, messagesMax }) => `"${name}" (${messages}${messagesMax === null ? '' : ` of ${messagesMax}`} messages)`);
  return `${words.join(', ')}${queues.length > NAMED_MAX ? ` and ${queues.length - NAMED_MAX} more` : ''}`;
}
