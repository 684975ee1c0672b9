import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { createSteps } from './steps.ts';

let done: string[] = [];
let logged: { event: string; step: string }[] = [];
const log = pino({ level: 'debug' }, { write: (line) => void logged.push(JSON.parse(line) as { event: string; step: string }) });

beforeEach(() => {
  done = [];
  logged = [];
});

const start = (name: string) => async (): Promise<string> => {
  done.push(`+${name}`);
  return name;
};
const stop = async (name: string): Promise<void> => void done.push(`-${name}`);
const fail = (message: string) => (): Promise<never> => Promise.reject(new Error(message));

describe('steps', () => {
  it('stop in the reverse order of their start, each with what its start gave', async () => {
    const steps = createSteps(log);
    expect(await steps.run('store', start('store'), stop)).toBe('store');
    await steps.run('broker', start('broker'), stop);
    await steps.run('http', start('http'), stop);
    await steps.stop();
    expect(done).toEqual(['+store', '+broker', '+http', '-http', '-broker', '-store']);
  });

  it('stop once, however often they are told to', async () => {
    const steps = createSteps(log);
    await steps.run('store', start('store'), stop);
    await Promise.all([steps.stop(), steps.stop()]);
    await steps.stop();
    expect(done).toEqual(['+store', '-store']);
  });

  it('that fail stop the ones before them and give the reason', async () => {
    const steps = createSteps(log);
    await steps.run('store', start('store'), stop);
    await steps.run('broker', start('broker'), stop);
    await expect(steps.run('http', fail('port taken'), stop)).rejects.toThrow('port taken');
    expect(done).toEqual(['+store', '+broker', '-broker', '-store']);
    expect(logged).toContainEqual(expect.objectContaining({ event: 'step.failed', step: 'http' }));
  });

  it('that cannot be stopped do not keep the others running', async () => {
    const steps = createSteps(log);
    await steps.run('store', start('store'), stop);
    await steps.run('broker', start('broker'), fail('stuck'));
    await steps.run('http', start('http'), stop);
    await steps.stop();
    expect(done).toEqual(['+store', '+broker', '+http', '-http', '-store']);
    expect(logged).toContainEqual(expect.objectContaining({ event: 'step.stop-failed', step: 'broker', reason: expect.any(String) }));
  });

  it('that are still starting when another one fails are stopped as soon as they have started', async () => {
    const steps = createSteps(log);
    const slow = Promise.withResolvers<string>();
    const broker = steps.run('broker', () => slow.promise, stop);
    await expect(steps.run('store', fail('disk full'), stop)).rejects.toThrow('disk full');
    slow.resolve('broker');
    await expect(broker).rejects.toThrow('step broker was stopped');
    expect(done).toEqual(['-broker']);
  });

  it('do not start any more once everything is being stopped', async () => {
    const steps = createSteps(log);
    await steps.stop();
    await expect(steps.run('http', start('http'), stop)).rejects.toThrow('step http was not started');
    expect(done).toEqual([]);
  });
});
