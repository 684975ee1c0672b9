export { openDataDirectory, type DataDirectory } from './data-directory.ts';
export { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './postgres.ts';
export { rabbitMqBinaries } from './rabbitmq-binaries.ts';
export { startEmbeddedRabbitMq, type EmbeddedRabbitMq, type EmbeddedRabbitMqOptions } from './rabbitmq.ts';
