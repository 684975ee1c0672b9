import { totalUs, type Cpu } from './measure/cpu.ts';
import { rates, shares, spreadOf, table, type Spread } from './measure/spread.ts';
import type { Round, StageName } from './rounds.ts';

interface Row {
  readonly name: string;
  readonly ours: StageName;
  /** The slowest of them is the raw limit. */
  readonly raw: readonly StageName[];
  readonly naive: StageName;
}

const ROWS: readonly Row[] = [
  { name: 'webhook ingest', ours: 'webhooks', raw: ['append'], naive: 'oneByOne' },
  { name: '  (reading included)', ours: 'webhooks', raw: ['readAndAppend'], naive: 'oneByOne' },
  { name: 'republish', ours: 'republish', raw: ['catchUp', 'publish'], naive: 'naiveRepublish' },
  { name: 'apply, both modules', ours: 'apply', raw: ['consume', 'unnest'], naive: 'naiveApply' },
  { name: 'drain, the whole way', ours: 'drain', raw: ['catchUp', 'publish', 'consume', 'unnest'], naive: 'naiveDrain' },
];
const RAW_STAGES: readonly StageName[] = ['append', 'readAndAppend', 'catchUp', 'publish', 'consume', 'unnest'];
const CPU_STAGES: readonly StageName[] = [...RAW_STAGES, 'webhooks', 'webhooksPlain', 'republish', 'apply', 'drain', 'naiveDrain'];
const CPU_COLUMNS: readonly (keyof Cpu)[] = ['eventLoop', 'eventStore', 'runtime', 'broker', 'postgres'];
/** The raw work that a drained payment cannot do without. */
const NEEDED_BY_DRAIN: readonly StageName[] = ['catchUp', 'publish', 'consume', 'unnest'];
const CORES = 2;

export interface Result {
  readonly name: string;
  readonly perSecond: Spread;
  readonly rawPerSecond: Spread;
  readonly slowestRaw: StageName;
  readonly ofRaw: Spread;
  readonly timesNaive: Spread;
}

/** Ratios are formed within each round, of measurements of the same minute, and only then is their median taken. */
export function resultsOf(rounds: readonly Round[]): Result[] {
  return ROWS.map(({ name, ours, raw, naive }) => {
    const slowest = (round: Round): StageName => raw.reduce((a, b) => (round[b].perSecond < round[a].perSecond ? b : a));
    const rate = (stage: StageName | ((round: Round) => StageName)) => (round: Round) => round[typeof stage === 'string' ? stage : stage(round)].perSecond;
    const ratio = (against: StageName | ((round: Round) => StageName)) => rounds.map((round) => rate(ours)(round) / rate(against)(round));
    const names = rounds.map(slowest);
    return {
      name,
      perSecond: spreadOf(rounds.map(rate(ours))),
      rawPerSecond: spreadOf(rounds.map(rate(slowest))),
      slowestRaw: mostFrequent(names),
      ofRaw: spreadOf(ratio(slowest)),
      timesNaive: spreadOf(ratio(naive)),
    };
  });
}

export function reportOf(rounds: readonly Round[]): string {
  const median = (stage: StageName, of: (measured: Round[StageName]) => number): number => spreadOf(rounds.map((round) => of(round[stage]))).median;
  const cpuRow = (stage: StageName): string[] => [
    stage,
    ...CPU_COLUMNS.map((column) => median(stage, ({ cpu, count }) => cpu[column] / count).toFixed(0)),
    median(stage, ({ cpu, seconds }) => totalUs(cpu) / seconds / 1e6).toFixed(2),
    median(stage, ({ coresOfOthers }) => coresOfOthers).toFixed(2),
    median(stage, ({ coresIdle }) => coresIdle).toFixed(2),
    median(stage, ({ loopDelayP99Ms }) => loopDelayP99Ms).toFixed(1),
  ];
  const ratios = resultsOf(rounds).map(({ name, perSecond, rawPerSecond, slowestRaw, ofRaw, timesNaive }) => [name, rates(perSecond), rates(rawPerSecond), slowestRaw, shares(ofRaw), `${timesNaive.median.toFixed(1)} x`]);
  const raws = RAW_STAGES.map((stage) => [stage, rates(spreadOf(rounds.map((round) => round[stage].perSecond)))]);
  return [
    table(['', 'payments/s (min-max)', 'raw limit/s', 'which', 'ours / raw', 'ours / naive way'], ratios),
    table(['raw limit, alone', 'payments/s (min-max)'], raws),
    table(['CPU, us per payment', 'event loop', 'event store', 'runtime', 'broker', 'postgres', 'cores used', 'by others', 'idle', 'loop p99 ms'], CPU_STAGES.map(cpuRow)),
    roofLines(rounds),
    webhookLines(median),
    `webhooks, event store with TLS / without: ${shares(spreadOf(rounds.map(({ webhooks, webhooksPlain }) => webhooks.perSecond / webhooksPlain.perSecond)))}`,
  ].join('\n\n');
}

/**
 * A raw stage has the machine for itself; a drain is all four at once. So the roof over any drain is what the cores could
 * do with nothing but the raw work, and the comparison that a busy machine disturbs least is that of processor time.
 */
function roofLines(rounds: readonly Round[]): string {
  const usPerPayment = (round: Round, stage: StageName): number => totalUs(round[stage].cpu) / round[stage].count;
  const rawUs = rounds.map((round) => NEEDED_BY_DRAIN.reduce((sum, stage) => sum + usPerPayment(round, stage), 0));
  const drainUs = rounds.map((round) => usPerPayment(round, 'drain'));
  const roofs = rawUs.map((us) => (CORES * 1e6) / us);
  const byRound = (ratio: (index: number) => number): Spread => spreadOf(rounds.map((_, index) => ratio(index)));
  return [
    `${CORES} cores with nothing but the four raw stages of a drain: ${rates(spreadOf(roofs))} payments/s; the drain reaches ${shares(byRound((index) => (rounds[index]?.drain.perSecond ?? 0) / (roofs[index] ?? 1)))} of it.`,
    `Processor time: the four raw stages ${spreadOf(rawUs).median.toFixed(0)} us per payment, the drain ${spreadOf(drainUs).median.toFixed(0)} us; ratio ${shares(byRound((index) => (rawUs[index] ?? 0) / (drainUs[index] ?? 1)))}.`,
  ].join('\n');
}

function webhookLines(median: (stage: StageName, of: (measured: Round[StageName]) => number) => number): string {
  const line = (stage: StageName, text: string): string =>
    `${text}: ${median(stage, ({ perSecond }) => perSecond).toFixed(0)}/s, answered in ${median(stage, ({ notes }) => notes['latencyP50Ms'] ?? 0).toFixed(0)} ms (p50), ` +
    `${median(stage, ({ notes }) => notes['latencyP99Ms'] ?? 0).toFixed(0)} ms (p99); event loop p99 ${median(stage, ({ loopDelayP99Ms }) => loopDelayP99Ms).toFixed(1)} ms; ` +
    `the sender used ${median(stage, ({ notes, count }) => (notes['cpuUs'] ?? 0) / count).toFixed(0)} us per webhook`;
  return [
    line('oneByOne', 'webhooks, one by one'),
    line('webhooks', 'webhooks, nothing behind the event store at work'),
    line('webhooksWhole', 'webhooks, everything at work'),
    `event loop p99 of the idle application, embedded event store in its thread: ${median('idle', ({ loopDelayP99Ms }) => loopDelayP99Ms).toFixed(1)} ms`,
  ].join('\n');
}

function mostFrequent(names: readonly StageName[]): StageName {
  const sorted = [...names].sort((a, b) => names.filter((name) => name === b).length - names.filter((name) => name === a).length);
  return sorted[0] as StageName;
}
