# To be sourced, inside a booted system. deploy/paynotify.service, installed as README.md says under "As a service"; then it is
# killed, and stopped.
service_is_ready() {
  for _ in $(seq "$READY_SECONDS_MAX"); do
    if curl_health > /dev/null 2>&1; then return 0; fi
    sleep 1
  done
  journalctl --unit paynotify --lines 30 --no-pager
  return 1
}
curl_health() {
  node -e 'fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))'
}
demo() {
  PAYNOTIFY_DATA=/var/lib/paynotify npm run demo
}
main_pid() {
  systemctl show --property MainPID --value paynotify
}
killed_and_started_again() {
  local before
  before=$(main_pid)
  kill -KILL "$before"
  sleep 1
  service_is_ready && [ "$(main_pid)" != "$before" ]
}
only_that_user() {
  ! ps_of_service | grep -v '^paynotify$'
}
# Of every process in the service's control group.
ps_of_service() {
  stat --format %U $(sed 's#^#/proc/#' "/sys/fs/cgroup$(systemctl show --property ControlGroup --value paynotify)/cgroup.procs")
}
nobody_left() {
  [ -z "$(find /proc -maxdepth 1 -user paynotify -name "[0-9]*")" ]
}
stopped_in_order() {
  systemctl stop paynotify
  systemctl show --property Result,ExecMainStatus paynotify
  [ "$(systemctl show --property Result --value paynotify)" = success ] && [ ! -e /var/lib/paynotify/in-use.pid ]
}

useradd --system --home-dir /opt/paynotify --shell /usr/sbin/nologin paynotify
cp -r "$SOURCE" /opt/paynotify
cd /opt/paynotify
check node scripts/install.mjs
install -m 644 deploy/paynotify.service /etc/systemd/system/
(umask 077 && echo "PORT=$PORT" > /etc/paynotify.env)
systemctl daemon-reload
check systemctl enable --now paynotify
check service_is_ready
check demo
check only_that_user
check killed_and_started_again
check demo
check stopped_in_order
check nobody_left
