# To be sourced. Whether the lock file is one that npm can install from, whatever its version.

# The folder of that npm's program, got from the registry that this machine is configured for.
npm_folder() { # npm_folder VERSION
  dirname "$(npx --yes --package "npm@$1" -- which npm 2> /dev/null)"
}

# Without a registry that answers: what the lock file does not name, npm would have to ask for.
accepts_lock_file() { # accepts_lock_file VERSION
  local npm folder result
  npm=$(npm_folder "$1")/npm
  [ -x "$npm" ] || return 1
  folder=$(mktemp -d)
  cp package.json package-lock.json "$folder"
  echo "npm $("$npm" --version 2> /dev/null)"
  (cd "$folder" && "$npm" ci --include=dev --dry-run --ignore-scripts --registry=http://127.0.0.1:9/ --fetch-retries=0 --cache="$folder/cache" --no-audit --no-fund --loglevel=error) > "$folder/log" 2>&1
  result=$?
  if [ "$result" -eq 0 ]; then tail -n 1 "$folder/log"; else head -n 20 "$folder/log"; fi
  rm -rf "$folder"
  return "$result"
}
