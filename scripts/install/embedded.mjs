/** The servers of `src/config.ts` (PAYNOTIFY_EMBEDDED), each with the variable that configures one instead. */
const VARIABLES = { 'event-store': 'EVENTSTORE_URL', postgresql: 'DATABASE_URL', rabbitmq: 'RABBITMQ_URL' };

/**
 * Whether a start with this environment brings a broker up. The rule is that of `src/config.ts`, which the Node that runs
 * the installation cannot read; `src/config.test.ts` holds the two against each other.
 */
export function startsBroker(environment) {
  const isSet = (variable) => (environment[variable] ?? '') !== '';
  if (!isSet('PAYNOTIFY_EMBEDDED')) return !Object.values(VARIABLES).some(isSet);
  const named = environment.PAYNOTIFY_EMBEDDED.split(',').map((name) => name.trim());
  const isAccepted = named.every((name) => name in VARIABLES) && Object.entries(VARIABLES).every(([name, variable]) => isSet(variable) !== named.includes(name));
  return isAccepted && named.includes('rabbitmq');
}
