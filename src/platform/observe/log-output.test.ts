import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogOutput, UNWRITTEN_BYTES_MAX } from './log-output.ts';
import { persistentStream, WRITE_AGAIN_MS } from './standard-stream.ts';

/** A file system with so many free bytes, which a test changes; full, it fails like a real one. */
function disk(freeBytes: number) {
  let text = '';
  const state = { freeBytes, text: () => text };
  const stream = persistentStream((bytes) => {
    if (state.freeBytes === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const taken = bytes.subarray(0, state.freeBytes);
    state.freeBytes -= taken.length;
    text += taken.toString();
    return taken.length;
  });
  return { state, output: createLogOutput(stream, (lines) => `dropped ${lines}\n`) };
}

const LINE = `${'x'.repeat(999)}\n`;
const FITS = Math.floor(UNWRITTEN_BYTES_MAX / LINE.length);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('output that nobody takes', () => {
  it('is written at once while there is room, and in order, whole, when there is room again', () => {
    const { state, output } = disk(13);
    output.write('first line\n');
    output.write('second line\n');
    expect(state.text()).toBe('first line\nse');
    output.write('third line\n');
    state.freeBytes = 1_000;
    vi.advanceTimersByTime(WRITE_AGAIN_MS);
    expect(state.text()).toBe('first line\nsecond line\nthird line\n');
    expect(output.droppedLines()).toBe(0);
  });

  it('is kept up to a limit and dropped beyond it, and one line says how many as soon as there is room, also when nothing more is logged', () => {
    const { state, output } = disk(0);
    for (let n = 0; n < FITS + 5; n++) output.write(LINE);
    expect(output.droppedLines()).toBe(5);
    state.freeBytes = Number.MAX_SAFE_INTEGER;
    vi.advanceTimersByTime(WRITE_AGAIN_MS);
    // It comes where half of what was kept is written; none of those were made after it.
    expect(state.text().replaceAll(LINE, '')).toBe('dropped 5\n');
    expect(state.text()).toHaveLength(FITS * LINE.length + 'dropped 5\n'.length);
    output.write('after\n');
    expect(state.text().endsWith('after\n')).toBe(true);
  });

  it('stands behind what was dropped before it: no line overtakes the one that says so', () => {
    const { state, output } = disk(0);
    for (let n = 0; n < FITS; n++) output.write(LINE);
    output.write(LINE);
    // Shorter than what was dropped, and there would be room for it alone.
    output.write('short\n');
    state.freeBytes = Number.MAX_SAFE_INTEGER;
    vi.advanceTimersByTime(WRITE_AGAIN_MS);
    expect(state.text().replaceAll(LINE, '')).toBe('dropped 2\n');
  });

  it('makes nobody wait longer than the limit at the end', async () => {
    const { state, output } = disk(0);
    output.write('last words\n');
    const drained = output.drain(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    await drained;
    const again = output.drain(1_000);
    state.freeBytes = 100;
    await vi.advanceTimersByTimeAsync(WRITE_AGAIN_MS);
    await again;
    expect(state.text()).toBe('last words\n');
  });

  it.each(['EPIPE', 'EIO', 'ENOSPC', 'EBADF'])('costs nothing but the lines when its stream ends with %s', async (code) => {
    const broken = new Writable({ write: (_bytes, _encoding, done) => done(Object.assign(new Error(code), { code })) });
    const output = createLogOutput(broken);
    output.write('one\n');
    await vi.advanceTimersByTimeAsync(1);
    for (let n = 0; n < 3; n++) output.write('more\n');
    expect(output.droppedLines()).toBe(3);
    await output.drain(60_000);
  });
});
