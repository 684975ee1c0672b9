# To be sourced. Each check counts once; the tests count one by one.
passed=0
failed=0
READY_SECONDS_MAX=180 # first start of a machine, by the README's own promise

count() { # count NAME EXIT_CODE
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi
}

check() { # check COMMAND...
  echo "== $*"
  "$@"
  count "$*" $?
}

# In a session of its own, like a terminal gives it; sets start_pid. The command may be an exported function.
# Counts whether it becomes ready.
start_until_ready() { # start_until_ready NAME LOG COMMAND...
  local name=$1 log=$2 ready=1
  shift 2
  echo "== $name"
  setsid bash -c '"$@"' bash "$@" > "$log" 2>&1 < /dev/null &
  start_pid=$!
  for _ in $(seq "$READY_SECONDS_MAX"); do
    if grep -q '^paynotify is ready' "$log" 2> /dev/null; then ready=0; break; fi
    kill -0 "$start_pid" 2> /dev/null || break
    sleep 1
  done
  count "$name" "$ready"
  [ "$ready" -eq 0 ] || tail -n 50 "$log"
}

# Ctrl-C, as a terminal sends it: to the whole group. In order means that the data directory was given back.
stop_by_ctrl_c() { # stop_by_ctrl_c NAME CLONE
  kill -INT -- "-$start_pid" 2> /dev/null
  wait "$start_pid"
  check node "$2/scripts/nothing-running.mjs"
  count "$1 stops in order" "$([ ! -e "$2/.data/in-use.pid" ]; echo $?)"
}

# Each test counts, a file that could not be run counts as one, and so does an exit code that no test explains.
count_tests() { # count_tests NAME EXIT_CODE RESULTS_FILE
  if [ ! -f "$3" ]; then count "$1" 1; return; fi
  local tests_passed tests_failed
  read -r tests_passed tests_failed < <(node -e '
    const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    console.log(r.numPassedTests, r.numFailedTests + r.testResults.filter((f) => f.status === "failed" && f.assertionResults.length === 0).length);
  ' "$3")
  passed=$((passed + tests_passed))
  failed=$((failed + tests_failed))
  if [ "$2" -ne 0 ] && [ "$tests_failed" -eq 0 ]; then count "$1 (exit code)" "$2"; fi
}
