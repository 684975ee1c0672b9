# To be sourced by debian-13.sh. Starts a root file system with its own systemd, which runs one script of this project and
# then powers off.

BOOTED_SECONDS_MAX=1200 # an installation, two starts and a stop take a few minutes; one that never powers off is ended

boot_and_run() { # boot_and_run FOLDER SCRIPT
  local root=$1
  command -v systemd-nspawn > /dev/null || apt-get install -y -qq --no-install-recommends systemd-container > "$work/apt.log" 2>&1
  say "booting $(basename "$root") for $2"
  rm -f "$root/counts"
  sed "s#SCRIPT#$2#" > "$root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
Description=What is to be tried here
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
EnvironmentFile=/etc/trial.env
ExecStart=/bin/bash -c 'cd "$SOURCE" && . scripts/ci/checks.sh && . SCRIPT; echo "$passed $failed" > /counts'
StandardOutput=file:/trial.log
StandardError=inherit
UNIT
  machine_environment > "$root/etc/trial.env"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -sf ../trial.service "$root/etc/systemd/system/multi-user.target.wants/"
  # Neither this machine's systemd nor its control groups are asked: there may be none.
  apart timeout --kill-after=10 "$BOOTED_SECONDS_MAX" env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --machine=paynotify-trial --directory="$root" --boot systemd.unit=multi-user.target > "$work/boot.log" 2>&1
  cat "$root/trial.log"
  add_counts "$root"
}
