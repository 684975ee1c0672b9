import { webhookPrefix, type Bench } from './setup/bench.ts';
import type { Measurement } from './measure/meter.ts';
import { naiveApply, naiveDrain } from './naive/naive-apply.ts';
import { naiveRepublish } from './naive/naive-republish.ts';
import { apply } from './ours/apply.ts';
import { drain } from './ours/drain.ts';
import { republish } from './ours/republish.ts';
import { webhooksAlone, webhooksWhole } from './ours/webhooks.ts';
import { appendAlone, readAndAppendAlone } from './raw/append-alone.ts';
import { catchUpAlone } from './raw/catch-up-alone.ts';
import { consumeAlone } from './raw/consume-alone.ts';
import { publishAlone } from './raw/publish-alone.ts';
import { emptyQueues } from './raw/queues.ts';
import { unnestAlone } from './raw/unnest-alone.ts';

/** One measurement of everything, raw and ours and naive side by side, so that ratios are of the same minute. */
export const STAGES = [
  'append', 'readAndAppend', 'catchUp', 'publish', 'consume', 'unnest',
  'webhooks', 'webhooksPlain', 'webhooksWhole', 'idle', 'republish', 'apply', 'drain',
  'oneByOne', 'naiveRepublish', 'naiveApply', 'naiveDrain',
] as const;
export type StageName = (typeof STAGES)[number];
export type Round = Readonly<Record<StageName, Measurement>>;

/**
 * The order matters: `publish` fills the queues that `consume` empties, `republish` those of `apply`, `naiveRepublish`
 * those of `naiveApply`. Raw, ours and naive of one thing stand next to each other.
 */
export async function runRound(bench: Bench, number: number, say: (text: string) => void): Promise<Round> {
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    say(`round ${number + 1}: ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
    return result;
  };
  await emptyQueues(bench.broker);
  const append = await step('append', () => appendAlone(bench, `append${number}`));
  const readAndAppend = await step('read and append', () => readAndAppendAlone(bench, webhookPrefix('raw', number)));
  const webhooks = await step('webhooks', () => webhooksAlone(bench, number));
  const whole = await step('webhooks, everything at work', () => webhooksWhole(bench, number));
  const publish = await step('publish', () => publishAlone(bench));
  const consume = await step('consume', () => consumeAlone(bench));
  const catchUp = await step('catch up', () => catchUpAlone(bench));
  const republished = await step('republish', () => republish(bench));
  const applied = await step('apply', () => apply(bench));
  const unnest = await step('unnest', () => unnestAlone(bench));
  const drained = await step('drain', () => drain(bench));
  const naiveRepublished = await step('naive republish', () => naiveRepublish(bench));
  const naiveApplied = await step('naive apply', () => naiveApply(bench));
  const naiveDrained = await step('naive drain', () => naiveDrain(bench));
  return {
    append, readAndAppend, catchUp, publish, consume, unnest,
    webhooks: webhooks.concurrent, webhooksPlain: webhooks.plain, webhooksWhole: whole.loaded, idle: whole.idle, republish: republished, apply: applied, drain: drained,
    oneByOne: webhooks.oneByOne, naiveRepublish: naiveRepublished, naiveApply: naiveApplied, naiveDrain: naiveDrained,
  };
}
