#!/usr/bin/env bash
# Tries the committed files on Debian 13, with its own Node, npm and RabbitMQ, in a root file system of its own:
#
#     bash scripts/debian-13.sh
#
#   1. the README's two commands, as a user who may become nobody else (the broker is unpacked) and as root (it is installed),
#   2. the tests of the broker, the consumers and the projector, and those of the embedded RabbitMQ,
#   3. data that was written on Debian 12, with its RabbitMQ, and is started on Debian 13,
#   4. deploy/paynotify.service under Debian 13's systemd.
#
# Needs Linux, root who may mount, apt of a Debian with debootstrap, and 6 GB below TMPDIR; takes about half an hour. The
# archive is the one that this machine's apt uses, packages come from where its npm gets them. Everything runs in name
# spaces of its own, so that whatever way this ends, no process and no mount is left.
# The last line is "N passed, N failed" over everything.
set -u
cd "$(dirname "$0")/.."

. scripts/ci/checks.sh
. scripts/debian-13/root-file-system.sh
. scripts/debian-13/machine-settings.sh
. scripts/debian-13/boot.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/paynotify-debian-13.XXXXXX")
# An interrupted step may have its output in a file.
exec 3>&1
trap 'clean_up >&3' EXIT
trap 'exit 130' INT TERM HUP
say "working in $work"
archive=$(debian_archive) || exit 1
PORT=$(free_port)
export PORT

trixie="$work/trixie"
make_root_file_system trixie "$trixie" && install_packages "$trixie" nodejs npm
count "Debian 13 with its own Node and npm" $?
copy_project "$trixie"
run_inside "$trixie" scripts/debian-13/commands.sh newcomer
run_inside "$trixie" scripts/debian-13/commands.sh root
run_inside "$trixie" scripts/debian-13/tests.sh

# The same installed clone in the same place, so that nothing but the system and its broker differs.
bookworm="$work/bookworm"
make_root_file_system bookworm "$bookworm" && install_packages "$bookworm" rabbitmq-server
count "Debian 12 with its own RabbitMQ" $?
copy_project "$bookworm"
cp -a "$trixie$CLONE" "$bookworm$CLONE" && rm -rf "$bookworm$CLONE/.data"
run_inside "$bookworm" scripts/debian-13/held-payments.sh
mv "$bookworm$OLD_DATA" "$trixie$OLD_DATA"
run_inside "$trixie" scripts/debian-13/paid-payments.sh

install_packages "$trixie" systemd systemd-sysv
count "Debian 13's systemd" $?
boot_and_run "$trixie" scripts/debian-13/service.sh

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
