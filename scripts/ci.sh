#!/usr/bin/env bash
# Everything a submission must pass, with the README's own commands, on a bare Debian 12 with Node 20, npm and apt.
# The last line is "N passed, N failed" over everything.
set -u
cd "$(dirname "$0")/.."

RESULTS=.data/test-results.json
EVENT_STORE_LOG=.data/ci-event-store.log
. scripts/ci/checks.sh
. scripts/ci/npm-versions.sh
. scripts/ci/ordinary-user.sh

# What the README's example by hand, the fresh clone and the tests of a connection pooler need; paynotify itself needs none of them.
missing=()
PATH="$PATH:/usr/sbin" # where Debian puts pgbouncer
for tool in curl openssl git pgbouncer; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# The tests first: on a bare machine this also proves that the test command installs what it needs.
rm -f "$RESULTS"
step "npm test"
npm test
count_tests "npm test" $? "$RESULTS"

# All the tests have just run; what is left of the check is types, lint and that tests follow them. With this reporter the results
# of all the tests stay where they are.
check npm run check -- --project unit --reporter default test/tidy.test.ts

# npm of Debian 13, of Node 20, 22 and 24, and others that people have. The one with which the fresh clone below is installed
# for real is not among them; the newest is only shown, because what it says may change without anything being changed here.
for version in 9.2.0 10.9.2 11.0.0 11.6.2 11.19.1; do check accepts_lock_file "$version"; done
step "accepts_lock_file latest (not counted)"
accepts_lock_file latest || echo "the newest npm does not accept the lock file"

# The README's two commands, as a newcomer types them: start, then the demo beside it, then Ctrl-C. In a fresh clone, below
# folders that are closed to everybody else (as a home folder of root is), with a name as people have them, by the npm that
# comes with Node 20.
REAL_NPM=10.8.2
step "a fresh clone"
fresh=$(mktemp -d)
clone="$fresh/closed/pay notify 支付"
start_log="$fresh/start.log"
mkdir -m 700 "$fresh/closed"
git -c safe.directory='*' clone --quiet --no-hardlinks . "$clone" || {
  mkdir -p "$clone" && tar --exclude=./node_modules --exclude=./.data --exclude=./src/generated -cf - . | tar -C "$clone" -xf - # where there is no history
}
here=$PWD
usual_path=$PATH
cd "$clone" || exit 1
PATH="$(npm_folder "$REAL_NPM"):$PATH"
start_until_ready "npm start" "$start_log" npm start
count "npm $REAL_NPM has installed what the lock file names" "$(grep -q "installing dependencies (npm $REAL_NPM ci" "$start_log"; echo $?)"
check npm run demo
check npm run tokens
# The README's example, as printed, and the same by the command that it tells of.
awk '/^```bash$/ { on = 1; next } /^```$/ { on = 0 } on' README.md > .data/by-hand.sh
step "the README's webhook by hand"
bash .data/by-hand.sh | tee .data/ci-by-hand.log
pay_no=$(sed -n 's/^{"outcome":"stored"} payment //p' .data/ci-by-hand.log)
count "the README's webhook by hand was stored" "$([ -n "$pay_no" ]; echo $?)"
check npm run webhook -- --help
check npm run webhook -- --pay-no "$pay_no" --provider alipay --bad-signature
check npm run webhook -- --pay-no "$pay_no" --kind refunded --duplicate
stop_by_ctrl_c "npm start" "$clone"
PATH=$usual_path
cd "$here" || exit 1
check_ordinary_user "$clone"
rm -rf "$fresh"

step "npm run event-store -- --port 2113 --memory"
npm run --silent event-store -- --port 2113 --memory > "$EVENT_STORE_LOG" 2>&1 < /dev/null &
event_store_pid=$!
for _ in $(seq 100); do
  if grep -q '^LISTENING 2113$' "$EVENT_STORE_LOG"; then break; fi
  sleep 0.1
done
grep '^LISTENING 2113$' "$EVENT_STORE_LOG"
count "npm run event-store -- --port 2113 --memory" $?
kill "$event_store_pid"
wait "$event_store_pid"

check npm run bench -- --quick

summarize "$RESULTS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
