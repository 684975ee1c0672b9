import { silentLogger, type Logger } from '../../src/platform/observe/logger.ts';

type Line = Readonly<Record<string, unknown>> & { readonly level: string; readonly event: string };

/** A logger that keeps its lines. */
export function recordingLogger(): { readonly log: Logger; all(): readonly Line[]; lines(event: string): readonly Line[] } {
  const kept: Line[] = [];
  const levels = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, (line: { readonly event: string }) => void kept.push({ ...line, level })]));
  return { log: { ...silentLogger, ...levels }, all: () => kept, lines: (event) => kept.filter((line) => line.event === event) };
}
