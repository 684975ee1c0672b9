/**
 * What every embedded server gets as its environment, instead of the caller's: a PGPORT or RABBITMQ_NODENAME meant for
 * another server must not reach ours.
 */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
};
