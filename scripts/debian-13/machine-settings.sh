# To be sourced by debian-13.sh. How this machine reaches archives and registries, told to another root file system.

# Of npm's settings those about the way; its folders are the machine's own.
ABOUT_THE_WAY='^(//|@[^=]*:registry|registry|proxy|https-proxy|noproxy|ca(\[\])?|cafile|strict-ssl|replace-registry-host)[ =:]?'

# As lines NAME=VALUE: a fresh login's, where this project's things are, and the way to archives.
machine_environment() {
  local name
  printf '%s\n' HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  for name in SOURCE CLONE OLD_DATA PORT http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS; do
    [ -z "${!name:-}" ] || echo "$name=${!name}"
  done
}

carry_machine_settings() { # carry_machine_settings FOLDER
  local root=$1 file
  cat /etc/resolv.conf > "$root/etc/resolv.conf"
  # The smallest system has no such file, and the name is what Erlang looks for.
  grep -q localhost "$root/etc/hosts" 2> /dev/null || echo '127.0.0.1 localhost' >> "$root/etc/hosts"
  apt-config dump | grep '^Acquire' > "$root/etc/apt/apt.conf.d/90machine"
  for file in /etc/apt/auth.conf /etc/apt/auth.conf.d /usr/local/share/ca-certificates; do
    [ ! -e "$file" ] || cp -rL "$file" "$(dirname "$root$file")"
  done
  carry_npm_settings "$root"
  # Certificates that are named elsewhere.
  for file in $(sed -n 's/^cafile *= *"\?\([^"]*\)"\?$/\1/p' "$root/etc/npmrc") ${NODE_EXTRA_CA_CERTS:-}; do
    [ -e "$root$file" ] || [ ! -f "$file" ] || install -D -m 644 "$file" "$root$file"
  done
}

# Debian's npm reads them from there, for every user.
carry_npm_settings() { # carry_npm_settings FOLDER
  local file
  : > "$1/etc/npmrc"
  command -v npm > /dev/null || return 0
  for file in "$(npm config get globalconfig)" "$(npm config get userconfig)"; do
    [ ! -f "$file" ] || grep -E "$ABOUT_THE_WAY" "$file" >> "$1/etc/npmrc"
  done
}
