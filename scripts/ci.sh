#!/usr/bin/env bash
# Everything a submission must pass, with the README's own commands, on a bare Debian 12 with Node 20, npm and apt.
# Each check counts once; the tests count one by one. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.."

RESULTS=.data/test-results.json
START_LOG=.data/ci-start.log
EVENT_STORE_LOG=.data/ci-event-store.log
READY_SECONDS_MAX=180 # first start of a machine, by the README's own promise
passed=0
failed=0

count() { # count NAME EXIT_CODE
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi
}

check() { # check COMMAND...
  echo "== $*"
  "$@"
  count "$*" $?
}

# What the README's example by hand needs; paynotify itself needs neither.
missing=()
for tool in curl openssl; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# The tests first: on a bare machine this also proves that the test command installs what it needs.
rm -f "$RESULTS"
echo "== npm test"
npm test
test_exit=$?
if [ -f "$RESULTS" ]; then
  read -r tests_passed tests_failed < <(node -e '
    const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    console.log(r.numPassedTests, r.numFailedTests + r.testResults.filter((f) => f.status === "failed" && f.assertionResults.length === 0).length);
  ' "$RESULTS")
  passed=$((passed + tests_passed))
  failed=$((failed + tests_failed))
  if [ "$test_exit" -ne 0 ] && [ "$tests_failed" -eq 0 ]; then count "npm test (exit code)" "$test_exit"; fi
else
  count "npm test" 1
fi

# The tests that need a server have just run; the rest of the check is types, lint and the unit tests.
check npm run check -- --project unit

# The README's two commands, as a newcomer types them: start, then the demo beside it, then Ctrl-C.
mkdir -p .data
echo "== npm start"
setsid npm start > "$START_LOG" 2>&1 < /dev/null &
start_pid=$!
ready=1
for _ in $(seq "$READY_SECONDS_MAX"); do
  if grep -q '^paynotify is ready' "$START_LOG" 2> /dev/null; then ready=0; break; fi
  kill -0 "$start_pid" 2> /dev/null || break
  sleep 1
done
count "npm start" "$ready"
[ "$ready" -eq 0 ] || tail -n 50 "$START_LOG"
check npm run demo
# The README's example, as printed, and the same by the command that it tells of.
awk '/^```bash$/ { on = 1; next } /^```$/ { on = 0 } on' README.md > .data/by-hand.sh
echo "== the README's webhook by hand"
bash .data/by-hand.sh | tee .data/ci-by-hand.log
pay_no=$(sed -n 's/^{"outcome":"stored"} payment //p' .data/ci-by-hand.log)
count "the README's webhook by hand was stored" "$([ -n "$pay_no" ]; echo $?)"
check npm run webhook -- --help
check npm run webhook -- --pay-no "$pay_no" --provider alipay --bad-signature
check npm run webhook -- --pay-no "$pay_no" --kind refunded --duplicate
kill -INT -- "-$start_pid" 2> /dev/null
wait "$start_pid"
check node scripts/nothing-running.mjs

echo "== npm run event-store -- --port 2113 --memory"
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

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
