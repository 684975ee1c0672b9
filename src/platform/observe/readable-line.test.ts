import { describe, expect, it } from 'vitest';
import { createLogger, type Logger } from './logger.ts';
import { readable } from './readable-line.ts';

/** What the real logger writes for a person. */
function told(say: (log: Logger) => void): string {
  const lines: string[] = [];
  say(createLogger('trace', { write: (line) => void lines.push(line) }, readable));
  return lines.join('').replaceAll(/^\d\d:\d\d:\d\d\.\d{3}Z/gm, 'TIME');
}

describe('a line for a person', () => {
  it('has time, level and event in front, then what it is about', () => {
    expect(told((log) => log.info({ event: 'payment.appended', payNo: '1', durationMs: 3, ok: true, at: null, of: { a: [1, 'b'] } }))).toBe('TIME INFO  payment.appended payNo=1 durationMs=3 ok=true at=null of={"a":[1,"b"]}\n');
    expect(told((log) => log.warn({ event: 'x', empty: '', blank: 'a b', quote: 'a"b', equal: 'a=b', list: ['支付'] }, 'a message'))).toBe('TIME WARN  x a message empty="" blank="a b" quote="a\\"b" equal="a=b" list=["支付"]\n');
    for (const level of ['trace', 'debug', 'error', 'fatal'] as const) expect(told((log) => log[level]({ event: 'x' }))).toContain(level.toUpperCase());
  });

  it('has the stack of an error below it, with its causes', () => {
    const error = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'E1' });
    const lines = told((log) => log.error({ event: 'x', err: error })).split('\n');
    expect(lines[0]).toBe('TIME ERROR x err="outer: inner" err.type=Error err.code=E1');
    expect(lines[1]).toBe('    Error: outer');
    expect(lines.slice(2).join('\n')).toMatch(/^ {4} {4}at .*[^]*\n {4}caused by: Error: inner/);
  });

  it('holds no secret that the line of JSON would not hold', () => {
    const text = told((log) => log.error({ event: 'x', password: 'hunter2', url: 'amqp://u:hunter2@mq', body: '{"sign":"hunter2"}', err: new Error('cannot reach postgresql://u:hunter2@db/x') }));
    expect(text).not.toContain('hunter2');
    expect(text).toContain('[redacted]');
  });

  it('does nothing to a terminal, whatever a stranger has written', () => {
    const hostile = '\u001b[2J\u009b1m\r\n\u0007\u202e\u2066\u2028\u007f\u0000end';
    const text = told((log) => log.error({ event: 'x', reason: hostile, [`a${hostile}`]: 1, err: Object.assign(new Error(hostile), { code: hostile }) }, hostile));
    expect(text.replaceAll(/\n {4}/g, '').slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
    expect(text).toContain('end');
  });

  it('that is no line of the log is left as it is', () => {
    for (const line of ['text\n', '[1]\n', '{"half\n', '']) expect(readable(line)).toBe(line);
  });
});
