# To be sourced. The start as a user who may become nobody else, on a machine where RabbitMQ is not installed: it is
# unpacked instead. Root makes the user, a copy of an installed clone in a closed folder of that user's, and a view of the
# file system without the installed broker; all of it goes away again.
ORDINARY_USER=paynotify-ci

as_ordinary_user() { # as_ordinary_user HOME COMMAND...
  HOME="$1" setpriv "--reuid=$ORDINARY_USER" "--regid=$ORDINARY_USER" --clear-groups "${@:2}"
}
export -f as_ordinary_user
export ORDINARY_USER

without_installed_broker() { # without_installed_broker COMMAND...
  unshare --mount bash -c 'for folder in /usr/lib/rabbitmq /usr/lib/erlang; do [ ! -d "$folder" ] || mount -t tmpfs none "$folder" || exit 1; done; "$@"' bash "$@"
}
export -f without_installed_broker

check_ordinary_user() { # check_ordinary_user INSTALLED_CLONE
  local home clone
  if [ "$(id -u)" -ne 0 ] || ! without_installed_broker true 2> /dev/null || ! command -v useradd setpriv > /dev/null; then
    echo "SKIPPED: the start as an ordinary user (it needs root who may mount, useradd and setpriv)"
    return
  fi
  home=$(mktemp -d)
  clone="$home/pay notify 支付" # the scripts of an unpacked broker do not expect blanks
  useradd --home-dir "$home" --no-create-home --shell /bin/sh "$ORDINARY_USER"
  if as_ordinary_user "$home" node --version > /dev/null; then
    mkdir "$clone"
    tar -C "$1" --exclude=./.data --exclude=./.git -cf - . | tar -C "$clone" -xf -
    chown -R "$ORDINARY_USER:" "$home"
    start_until_ready "npm start as an ordinary user" "$home/start.log" without_installed_broker as_ordinary_user "$home" npm --prefix "$clone" start
    check as_ordinary_user "$home" npm --prefix "$clone" run demo
    stop_by_ctrl_c "npm start as an ordinary user" "$clone"
    count "the broker was unpacked" "$([ -d "$clone/.data/rabbitmq-server" ]; echo $?)"
  else
    echo "SKIPPED: the start as an ordinary user (node is in a folder that is closed to others)"
  fi
  userdel "$ORDINARY_USER"
  rm -rf "$home"
}
