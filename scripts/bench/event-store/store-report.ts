import { rates, shares, spreadOf, table, type Spread } from '../measure/spread.ts';
import type { ComparedRound, Run } from './compare.ts';
import type { SizeCosts } from './large-store.ts';
import type { StoreResults } from './measure-event-store.ts';

export function storeReportOf({ compared, secured, sizes, delays }: StoreResults): string {
  const compareHead = ['embedded event store', 'ours/s (min-max)', 'does nothing/s', 'ours / nothing', 'client us', 'store us', 'client busy', '(nothing:) us', 'us', 'busy'];
  const delayRows = delays.map(({ name, p50Ms, p99Ms, maxMs, appendsPerSecond }) => [name, p50Ms.toFixed(1), p99Ms.toFixed(1), maxMs.toFixed(1), appendsPerSecond.toFixed(0)]);
  return [
    table(compareHead, Object.entries(compared).map(([name, rounds]) => compareRow(name, rounds))),
    table(['event store with TLS', 'with/s (min-max)', 'without/s', 'with / without', ...compareHead.slice(4, 7), '(without:) us', 'us', 'busy'], Object.entries(secured).map(([name, rounds]) => compareRow(name, rounds))),
    table(['at this many events', ...sizeHead(sizes), 'ratio'], sizeRows(sizes)),
    table(["delay of the application's thread", 'p50 ms', 'p99 ms', 'max ms', 'appends/s'], delayRows),
  ].join('\n\n');
}

function compareRow(name: string, rounds: readonly ComparedRound[]): string[] {
  const of = (value: (round: ComparedRound) => number): Spread => spreadOf(rounds.map(value));
  const cost = (which: 'ours' | 'limit'): string[] => [
    of((round) => round[which].clientUs).median.toFixed(0),
    of((round) => round[which].serverUs).median.toFixed(0),
    of((round) => round[which].clientBusy).median.toFixed(2),
  ];
  const rate = (which: 'ours' | 'limit'): string => rates(of((round) => (round[which] satisfies Run).perSecond));
  return [name, rate('ours'), rate('limit'), shares(of(({ ours, limit }) => ours.perSecond / limit.perSecond)), ...cost('ours'), ...cost('limit')];
}

const sizeHead = ({ small, large }: StoreResults['sizes']): string[] => [small, large].map(({ events, fileMiB }) => `${events} (${fileMiB.toFixed(0)} MiB)`);

function sizeRows({ small, large }: StoreResults['sizes']): string[][] {
  const row = (name: string, of: (costs: SizeCosts) => readonly number[], digits: number): string[] => {
    const [atSmall, atLarge] = [spreadOf(of(small)).median, spreadOf(of(large)).median];
    return [name, atSmall.toFixed(digits), atLarge.toFixed(digits), (atLarge / atSmall).toFixed(2)];
  };
  return [
    row('start until it listens, ms', ({ startMs }) => startMs, 0),
    row('  of that opening the files, ms', ({ openMs }) => openMs, 1),
    row('    with none of them in memory, ms', ({ openColdMs }) => openColdMs, 1),
    row('through the client: append to an old stream, us', ({ clientAppendUs }) => clientAppendUs, 0),
    row('through the client: read an old stream, us', ({ clientReadUs }) => clientReadUs, 0),
    row("the store's own part: append to a new stream, us", ({ appendNewUs }) => appendNewUs, 1),
    row('  append to an old stream, us', ({ appendOldUs }) => appendOldUs, 1),
    row('  read an old stream, us', ({ streamReadUs }) => streamReadUs, 1),
    row('  read a page of $all, us per event', ({ pageReadUs }) => pageReadUs, 2),
  ];
}
