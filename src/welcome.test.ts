import { describe, expect, it } from 'vitest';
import { missing, tryIt } from './welcome.ts';

describe('what a person is told while waiting', () => {
  it('names the dependencies that are missing, with the reason', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'starting', reason: 'the broker is starting' } } as const;
    const workers = { launch: { status: 'starting', reason: 'waiting for the broker', detail: { needs: 'broker' } } } as const;
    expect(missing({ dependencies, workers })).toBe('broker (the broker is starting)');
  });

  it('names also what is waited for although its dependency is there', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'starting', reason: 'rabbitmq is starting' } } as const;
    const launch = { status: 'starting', reason: 'waiting for the database schema: permission denied for schema public', detail: { needs: 'database' } } as const;
    const workers = { rabbitmq: { status: 'starting', reason: 'rabbitmq is starting' }, launch } as const;
    expect(missing({ dependencies, workers })).toBe('broker (rabbitmq is starting), launch (waiting for the database schema: permission denied for schema public)');
  });

  it('says one reason of several once', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'ok' } } as const;
    const workers = { 'consumer orders': { status: 'degraded', reason: 'no grant' }, 'consumer learning': { status: 'degraded', reason: 'no grant' } } as const;
    expect(missing({ dependencies, workers })).toBe('consumer orders, consumer learning (no grant)');
  });

  it('names the workers when every dependency is there', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'ok' } } as const;
    const workers = { projector: { status: 'degraded', reason: 'topology: the queue is of another type' }, 'consumer orders': { status: 'ok' } } as const;
    expect(missing({ dependencies, workers })).toBe('projector (topology: the queue is of another type)');
  });
});

describe('what a person is told to try', () => {
  it('is a command that the place has: an image has no scripts', () => {
    expect(tryIt('http://x', { dataDirectory: '/srv/data' }, true)).toEqual(['Try it in a second terminal:  npm run demo']);
    const inImage = tryIt('http://x', { dataDirectory: '/var/lib/paynotify' }, false).join('\n');
    expect(inImage).toMatch(/http:\/\/x\/docs[^]*by hand[^]*tokens\.json and provider-signing-keys\.json out of \/var\/lib\/paynotify/);
    expect(inImage).not.toContain('npm');
  });
});
