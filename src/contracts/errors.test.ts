import { describe, expect, it } from 'vitest';
import * as errors from './errors.ts';

const cause = new Error('socket closed');
const ALL = [
  [new errors.ConfigError('m', { cause }), 'ConfigError', 'config-invalid'],
  [new errors.DataDirectoryInUseError('m', { cause }), 'DataDirectoryInUseError', 'data-directory-in-use'],
  [new errors.EmbeddedServiceError('m', { cause }), 'EmbeddedServiceError', 'embedded-service-failed'],
  [new errors.DatabaseUnfitError('encoding', 'm', { cause }), 'DatabaseUnfitError', 'database-unfit'],
  [new errors.MigrationError('m', { cause }), 'MigrationError', 'migration-failed'],
  [new errors.TopologyError('m', { cause }), 'TopologyError', 'topology-invalid'],
  [new errors.FencedError('m', { cause }), 'FencedError', 'projector-fenced'],
  [new errors.DependencyUnavailableError('broker', 'm', { cause }), 'DependencyUnavailableError', 'dependency-unavailable'],
  [new errors.AppendOutcomeUnknownError('m', { cause }), 'AppendOutcomeUnknownError', 'append-outcome-unknown'],
  [new errors.StoreMismatchError('another-store', 'm', { cause }), 'StoreMismatchError', 'event-store-mismatch'],
  [new errors.PositionUnknownError('m', { cause }), 'PositionUnknownError', 'event-store-position-unknown'],
  [new errors.DamagedStreamError('payment-1', 'd', { cause }), 'DamagedStreamError', 'stream-damaged'],
  [new errors.UnstorableError('m', { cause }), 'UnstorableError', 'unstorable'],
  [new errors.MessageError('order-missing', 'm', { cause }), 'MessageError', 'order-missing'],
] as const;

describe.each(ALL)('%s', (error, name, code) => {
  it('has a name and a code to match on, and keeps what caused it', () => {
    expect(error).toBeInstanceOf(errors.PaynotifyError);
    expect([error.name, error.code, error.cause]).toEqual([name, code, cause]);
    expect(error.message).toBe(error instanceof errors.DamagedStreamError ? 'stream payment-1: d' : 'm');
  });
});

it('counts every error class in this test', () => {
  const tested: readonly string[] = [...ALL.map(([, name]) => name), 'PaynotifyError', 'RequestError'];
  expect(Object.keys(errors).sort()).toEqual([...tested].sort());
});

it('tries a message again unless that cannot help', () => {
  expect(new errors.MessageError('a', 'm').retryable).toBe(true);
  expect(new errors.MessageError('a', 'm', { retryable: false }).retryable).toBe(false);
});

it('carries what a problem document needs', () => {
  expect(new errors.RequestError(409, 'order-paid', 'm', { orderId: '1' })).toMatchObject({ status: 409, code: 'order-paid', message: 'm', extensions: { orderId: '1' } });
});
