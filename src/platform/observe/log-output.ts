import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { withinMs } from '../process/time-limit.ts';
import { asJson, type ShowLine } from './readable-line.ts';
import { standardStream } from './standard-stream.ts';

/**
 * Where lines for a person or a log collector go. Nothing that becomes of the other end (a full disk, a reader that does
 * not read, a closed pipe, a terminal that is gone) makes a caller wait or fail: lines are kept in memory up to a limit,
 * beyond it dropped and counted, and one line says how many as soon as there is room for it.
 */
export interface LogOutput {
  /** @param text one or more whole lines, line break included. Never throws and never waits. */
  write(text: string): void;
  /** Since the start. */
  droppedLines(): number;
  /** Resolves when everything is written, or after `limitMs`: what is left then is lost with the process. */
  drain(limitMs: number): Promise<void>;
}

/** About 4,000 lines: a minute of a busy shop, and nothing that a small machine would miss. */
export const UNWRITTEN_BYTES_MAX = 1024 * 1024;
/** Once something was dropped, everything is, until so much is written: else every other line would be about one that was dropped. */
const ROOM_AGAIN_BYTES = UNWRITTEN_BYTES_MAX / 2;

/** @param sayDropped makes the line about what was dropped. @param stream for tests. */
export function createLogOutput(stream: Writable, sayDropped: (lines: number) => string = droppedLine): LogOutput {
  let dropped = 0;
  let unsaid = 0;
  // A closed pipe is told by an error, and by every write after it. Nobody is left to be told.
  stream.on('error', () => undefined);

  const isOpen = (): boolean => !stream.destroyed && !stream.writableEnded;
  const hasRoom = (text: string): boolean => isOpen() && stream.writableLength + Buffer.byteLength(text) <= UNWRITTEN_BYTES_MAX;

  function sayWhatWasDropped(): void {
    if (unsaid === 0 || !isOpen() || stream.writableLength > ROOM_AGAIN_BYTES) return;
    const line = sayDropped(unsaid);
    unsaid = 0;
    stream.write(line);
  }

  return {
    droppedLines: () => dropped,
    write(text) {
      sayWhatWasDropped();
      if (unsaid > 0 || !hasRoom(text)) {
        dropped++;
        unsaid++;
      } else {
        stream.write(text, sayWhatWasDropped);
      }
    },
    async drain(limitMs) {
      if (stream.writableLength === 0 || !isOpen()) return;
      const written = new Promise<void>((resolve) => stream.write('', () => resolve()));
      await withinMs(limitMs, Promise.race([written, once(stream, 'close')])).catch(() => undefined);
    },
  };
}

/** In the form of the logger's own lines. */
function droppedLine(lines: number): string {
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), event: 'log.lines-dropped', lines })}\n`;
}

/** Standard output, or standard error, of this process. @param show how its own line is written, as the logger's are. */
export function standardOutput(fd: 1 | 2 = 1, show: ShowLine = asJson): LogOutput {
  return createLogOutput(standardStream(fd), (lines) => show(droppedLine(lines)));
}

/** Whether a person reads it. */
export function isTerminal(fd: 1 | 2 = 1): boolean {
  return isatty(fd);
}
