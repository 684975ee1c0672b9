import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';

/** Every metric of the program in one list, so that names and labels are easy to find and never collide. */
export function createMetrics(droppedLogLines: () => number = () => 0) {
  const registry = new Registry();
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `paynotify_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `paynotify_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Histogram<L>({ name: `paynotify_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  return {
    registry,
    webhooks: counter('webhooks_total', 'Webhook requests by provider account and outcome', ['provider', 'account', 'outcome']),
    webhookRefused: counter('webhook_refused_total', 'Webhooks that were answered with an error, and requests refused before their path could be read, by reason', ['provider', 'account', 'reason']),
    webhookBodyBytes: gauge('webhook_body_bytes', 'Room taken for the bodies of webhooks that are read or worked on'),
    callbacksNotKept: counter('callbacks_not_kept_total', 'Callbacks that are in no register: the database was away for too long, and the event store does not know of them'),
    webhookNotHandled: counter('webhook_not_handled_total', 'Genuine webhooks of a type that nothing is made of, by type', ['provider', 'type']),
    notificationsWaiting: gauge('notifications_waiting', 'Genuine notifications that wait for a payment or a person, by state', ['state']),
    webhookSeconds: histogram('webhook_seconds', 'Time to answer a webhook', ['provider']),
    appendSeconds: histogram('append_seconds', 'Time of one append to the event store, retries included'),
    published: counter('published_total', 'Messages proven to be published (confirmed and not returned)'),
    publishFailures: counter('publish_failures_total', 'Publishing epochs that broke, by reason', ['reason']),
    publishInFlight: gauge('publish_in_flight', 'Messages written out and not yet confirmed'),
    checkpointPosition: gauge('checkpoint_position', 'Commit position up to which publishing is proven'),
    storeMismatch: gauge('event_store_mismatch', '1 while the event store is not the one that the database remembers'),
    projectorActive: gauge('projector_active', '1 while this instance holds the projector lease'),
    consumed: counter('consumed_total', 'Messages with an outcome, by module', ['module', 'outcome']),
    consumerRetries: counter('consumer_retries_total', 'Failed attempts by module and kind', ['module', 'kind']),
    consumerBatchSeconds: histogram('consumer_batch_seconds', 'Time of one batch transaction', ['module']),
    parked: gauge('parked_messages', 'Messages waiting for a person, by module', ['module']),
    gapEvents: gauge('gap_events', 'Published events that a module has neither applied nor parked, though later ones were', ['module']),
    oldestUneffectedSeconds: gauge('oldest_uneffected_seconds', 'Age of the oldest payment event without its effect', ['module']),
    httpSeconds: histogram('http_seconds', 'Time to answer a request, by route', ['method', 'route', 'status']),
    httpTimeouts: counter('http_timeouts_total', 'Requests whose handler was not done in time, by route', ['route']),
    httpOverdue: gauge('http_handlers_overdue', 'Handlers that go on although their request was answered with a time-out'),
    httpConnections: gauge('http_connections', 'Open connections'),
    httpConnectionsCut: counter('http_connections_cut_total', 'Connections that were closed on their peer, by reason', ['reason']),
    authenticationFailures: counter('authentication_failures_total', 'Requests without a valid token'),
    proven: gauge('proven_position', 'Commit position up to which a module holds every published event', ['module']),
    replayed: counter('replayed_total', 'Messages published by replays, by module', ['module']),
    logLinesDropped: new Counter({
      name: 'paynotify_log_lines_dropped_total',
      help: 'Lines of the log that standard output had no room for',
      registers: [registry],
      collect() {
        this.reset();
        this.inc(droppedLogLines());
      },
    }),
    clockOffset: gauge('clock_offset_seconds', "By how much this host's clock is ahead of another one: a provider's (three that agree, or one in time), the database's", ['source']),
    workerUp: gauge('worker_up', '1 while the worker is healthy', ['worker']),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
