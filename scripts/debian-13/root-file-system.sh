# To be sourced by debian-13.sh. Makes root file systems of Debian, and runs scripts of this project inside of them.
SOURCE=/usr/local/src/paynotify # in each of them: the committed files, readable by everybody
ROOTS_HOME=/root
CLONE=$ROOTS_HOME/paynotify
OLD_DATA=$ROOTS_HOME/old-data # what goes from Debian 12 to 13
export SOURCE CLONE OLD_DATA
running=

say() { # say TEXT
  echo "debian-13: $*"
}

clean_up() {
  [ -z "$running" ] || { kill -KILL "$running" 2> /dev/null; wait "$running" 2> /dev/null; }
  rm -rf --one-file-system "$work"
  say "removed $work"
}

# In name spaces of its own: with the first process all others and the mounts are gone. In the background, because only then
# a signal is not kept until it has ended.
apart() { # apart COMMAND...
  unshare --mount --pid --fork --kill-child --mount-proc "$@" < /dev/null &
  running=$!
  wait "$running"
  local result=$?
  running=
  return "$result"
}

# Where this machine's apt gets Debian from.
debian_archive() {
  local found
  found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  [ -n "$found" ] || { say "this machine's apt names no archive of Debian" >&2; return 1; }
  echo "$found"
}

# The network is the machine's, and its usual ports may be in use.
free_port() {
  local port
  for port in $(seq 18080 18180); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
  done
}

make_root_file_system() { # make_root_file_system RELEASE FOLDER
  command -v debootstrap > /dev/null || {
    say "installing debootstrap"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap > "$work/apt.log" 2>&1
  }
  say "making a root file system of $1"
  apart debootstrap --variant=minbase --include=ca-certificates "$1" "$2" "$archive" > "$work/debootstrap-$1.log" 2>&1 || {
    tail -n 20 "$work/debootstrap-$1.log"
    return 1
  }
  carry_machine_settings "$2"
}

install_packages() { # install_packages FOLDER PACKAGE...
  local root=$1
  shift
  say "installing $* in $(basename "$root")"
  # No service is started in there (Debian's way to say so is this file), and it is not left for the installation to meet.
  printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d"
  apart bash scripts/debian-13/enter.sh "$root" sh -c 'update-ca-certificates > /dev/null 2>&1; apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh "$@" > "$work/packages.log" 2>&1 || {
    tail -n 20 "$work/packages.log"
    return 1
  }
  rm "$root/usr/sbin/policy-rc.d"
}

copy_project() { # copy_project FOLDER
  mkdir -p "$1$SOURCE" && git -c safe.directory='*' archive HEAD | tar -C "$1$SOURCE" -xf -
}

# The script counts as checks.sh does; what it counted is added to ours, and one that ends without its counts is a failure.
run_inside() { # run_inside FOLDER SCRIPT ARGUMENT...
  local root=$1 script=$2
  shift 2
  say "$script $* in $(basename "$root"): $(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release")"
  rm -f "$root/counts"
  apart bash scripts/debian-13/enter.sh "$root" bash -c 'cd "$SOURCE" && . scripts/ci/checks.sh && . "$@"; echo "$passed $failed" > /counts' bash "$script" "$@"
  add_counts "$root"
}

add_counts() { # add_counts FOLDER
  local inside_passed=0 inside_failed=1
  [ ! -f "$1/counts" ] || read -r inside_passed inside_failed < "$1/counts"
  passed=$((passed + inside_passed))
  failed=$((failed + inside_failed))
}
