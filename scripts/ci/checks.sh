# To be sourced. Each check counts once; the tests count one by one.
passed=0
failed=0
READY_SECONDS_MAX=180 # first start of a machine, by the README's own promise

failed_checks=()
step_seconds=()
step_name=
step_began=0
NAME_CHARACTERS_MAX=200

count() { # count NAME EXIT_CODE
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); failed_checks+=("$1"); echo "FAILED: $1"; fi
}

# Whatever is done until the next one is part of it.
step() { # step NAME
  if [ -n "$step_name" ]; then step_seconds+=("$((SECONDS - step_began)) ${step_name:0:$NAME_CHARACTERS_MAX}"); fi
  step_name=$1
  step_began=$SECONDS
  [ -z "$1" ] || echo "== $1"
}

check() { # check COMMAND...
  step "$*"
  "$@"
  count "$*" $?
}

# In a session of its own, like a terminal gives it; sets start_pid. The command may be an exported function.
# Counts whether it becomes ready.
start_until_ready() { # start_until_ready NAME LOG COMMAND...
  local name=$1 log=$2 ready=1
  shift 2
  step "$name"
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

# What a reader who sees only the end must know: where the time went, and what failed.
summarize() { # summarize TEST_RESULTS
  step ""
  echo
  echo "== seconds of each step"
  for line in "${step_seconds[@]}"; do printf '%7d s  %s\n' "${line%% *}" "${line#* }"; done
  echo "== the slowest files of tests"
  node scripts/ci/test-results.mjs slowest "$1"
  echo "== failures"
  node scripts/ci/test-results.mjs failures "$1"
  for name in "${failed_checks[@]}"; do echo "FAILED: ${name:0:$NAME_CHARACTERS_MAX}"; done
}

# Each test counts, a file that could not be run counts as one, and so does an exit code that no test explains.
count_tests() { # count_tests NAME EXIT_CODE RESULTS_FILE
  local tests_passed tests_failed
  if read -r tests_passed tests_failed < <(node scripts/ci/test-results.mjs count "$3"); then
    passed=$((passed + tests_passed))
    failed=$((failed + tests_failed))
    if [ "$2" -ne 0 ] && [ "$tests_failed" -eq 0 ]; then count "$1 (exit code)" "$2"; fi
  else
    count "$1 (it left no results)" 1
  fi
}
