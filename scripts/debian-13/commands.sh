# To be sourced, inside. The README's two commands, as a newcomer types them, as this user; whom the system does not have
# is made, with a home folder that is closed to others. Then Ctrl-C, and nothing at all may be left running.
user=$1
getent passwd "$user" > /dev/null || useradd --create-home --shell /bin/bash "$user"
home=$(getent passwd "$user" | cut -d: -f6)
chmod 700 "$home"
clone=$home/paynotify
cp -r "$SOURCE" "$clone" && chown -R "$user:" "$home"
echo "Node $(node --version), npm $(npm --version), as $user in $home"

as_user() { # as_user COMMAND...
  HOME="$home" setpriv "--reuid=$user" "--regid=$user" --clear-groups "$@"
}
# Processes are numbered from 1 here, so whatever is still there is ours: all but this shell and what it looks with.
nothing_runs() {
  local left
  left=$(sed -n 's/^Name:\t//p' /proc/[0-9]*/status 2> /dev/null | grep -vxE 'bash|sed|grep')
  [ -z "$left" ] || { echo "still there: $left"; return 1; }
}
export -f as_user
export user home

cd "$clone"
start_until_ready "npm start as $user in $home" "$home/start.log" as_user npm start
grep -E '^paynotify( runs as root|:)' "$home/start.log"
check as_user npm run demo
stop_by_ctrl_c "npm start as $user" "$clone"
check nothing_runs
if [ "$user" = root ]; then where=/usr/lib/rabbitmq; else where=$clone/.data/rabbitmq-server; fi
count "RabbitMQ is in $where" "$([ -d "$where" ]; echo $?)"
