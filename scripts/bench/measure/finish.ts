/**
 * No stage takes this long, on however slow a machine: what is not done by then will never be. That is a fault of the
 * measured system, and the only kind of slowness that fails.
 */
const STAGE_MAX_MS = 180_000;

export class StalledError extends Error {}

/** @throws StalledError. `progress` says how far it came. */
export async function finish<T>(work: Promise<T>, what: string, progress: () => string = () => ''): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new StalledError(`${what} did not finish within ${STAGE_MAX_MS / 1000} s. ${progress()}`)), STAGE_MAX_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
