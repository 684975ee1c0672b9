# To be sourced. Whether the lock file is one that npm can install from, whatever its version.

# The folder of that npm's program, got from the registry that this machine is configured for.
npm_folder() { # npm_folder VERSION
  dirname "$(npx --yes --package "npm@$1" -- which npm 2> /dev/null)"
}

# Accepted, and without a question to the registry: what the lock file does not name, npm would ask for, and the answer
# changes with time.
accepts_lock_file() { # accepts_lock_file VERSION
  local npm folder result
  npm=$(npm_folder "$1")/npm
  [ -x "$npm" ] || return 1
  folder=$(mktemp -d)
  cp package.json package-lock.json "$folder"
  echo "npm $("$npm" --version 2> /dev/null)"
  (cd "$folder" && "$npm" ci --include=dev --dry-run --cache="$folder/cache" --no-audit --no-fund --no-update-notifier --loglevel=http) > "$folder/log" 2>&1
  result=$?
  if grep -q 'http fetch' "$folder/log"; then result=1; fi
  if [ "$result" -eq 0 ]; then grep '^added' "$folder/log"; else grep -E 'fetch|code|Missing|Invalid' "$folder/log" | head -n 10; fi
  rm -rf "$folder"
  return "$result"
}
