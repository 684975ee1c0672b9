import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import { createLogger } from '../observe/logger.ts';
import { answerWithProblems } from './answer-with-problems.ts';

const ASKED = 50;

/** A server whose every route fails by the error of its name, and the lines that it logs. */
function startFailing(errors: Readonly<Record<string, Error>>) {
  const lines: string[] = [];
  const app = fastify();
  answerWithProblems(app, createLogger('info', { write: (line: string) => void lines.push(line) }));
  for (const [name, error] of Object.entries(errors)) app.get(`/${name}`, () => Promise.reject(error));
  return { lines, ask: (name: string) => Promise.all(Array.from({ length: ASKED }, () => app.inject(`/${name}`))) };
}

it('an outage is one line for each route, without a stack, however many ask; a fault of ours is a line with a stack each time', async () => {
  const { lines, ask } = startFailing({
    away: new DependencyUnavailableError('event-store', 'it is away', { cause: new Error('socket closed') }),
    unknown: new AppendOutcomeUnknownError('it may be stored'),
    fault: new Error('it is ours'),
  });
  for (const { statusCode } of [...(await ask('away')), ...(await ask('unknown'))]) expect(statusCode).toBe(503);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'request.failed', route: '/away', status: 503, err: { code: 'dependency-unavailable', message: 'it is away' } },
    { event: 'request.failed', route: '/unknown', status: 503, err: { code: 'append-outcome-unknown', message: 'it may be stored' } },
  ]);
  expect(lines.join('')).not.toContain('stack');

  for (const { statusCode } of await ask('fault')) expect(statusCode).toBe(500);
  expect(lines.slice(2)).toHaveLength(ASKED);
  for (const line of lines.slice(2)) expect(JSON.parse(line)).toMatchObject({ event: 'request.failed', route: '/fault', err: { stack: expect.stringContaining('it is ours') } });
});
