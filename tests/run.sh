#!/usr/bin/env bash
# Builds everything and runs every test.
#
#   tests/run.sh                 all of it
#   tests/run.sh sdk api         only some parts: checks rust sdk api behaviour recall crash torment
#
# Needs Rust, Python 3.10 or newer, Node 20 and npm. What else it needs (a Postgres with pgvector, the
# official SDKs, …) is installed below target/test-env, in pinned versions. As root, Postgres runs as
# `nobody`. Everything listens on the loopback interface only and ends with this script.
#
# ENGRAM_TEST_PG_URI set: that Postgres server is used instead of one of our own. Databases are created
# on it and dropped again.
set -euo pipefail
cd "$(dirname "$0")/.."

all_parts=(checks rust sdk api behaviour recall crash torment)
parts=("$@")
[[ ${#parts[@]} -gt 0 ]] || parts=("${all_parts[@]}")
for part in "${parts[@]}"; do
    [[ " ${all_parts[*]} " == *" $part "* ]] || { echo "unknown part «$part»; known: ${all_parts[*]}" >&2; exit 2; }
done
wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }

export PYTHONPATH="$PWD/tests/lib" PYTHONDONTWRITEBYTECODE=1
export PYTHONUNBUFFERED=1
scratch=$(mktemp -d)
postgres_pid=
cleanup() {
    [[ -z $postgres_pid ]] || { kill "$postgres_pid" 2>/dev/null || true; wait "$postgres_pid" 2>/dev/null || true; }
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

report=()
failed=0
run() { # run NAME COMMAND…: remembers the outcome and goes on
    local name=$1 started=$SECONDS outcome=ok
    shift
    printf '\n==> %s\n' "$name"
    "$@" || { outcome=FAILED; failed=1; }
    report+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - started)) "$name")")
}

# The environments are installed while the compiler works.
envs=(postgres tools)
! wants checks || envs+=(checks)
! wants sdk || envs+=(python_old python_new python_openai python_livekit)
! wants api || envs+=(python_new)
python3 -m testkit.envs "${envs[@]}" >"$scratch/envs" 2>"$scratch/envs.log" &
install_pid=$!

# The checks of the code need neither the binary nor a database.
binary=no
[[ ${parts[*]} == checks ]] || binary=yes
if [[ $binary == yes ]]; then
    echo "==> build"
    started=$SECONDS
    cargo build --workspace --locked
    report+=("$(printf '%-7s %5d s  %s' ok $((SECONDS - started)) build)")
fi
wait "$install_pid" || { cat "$scratch/envs.log" >&2; exit 1; }
# The interpreter of an environment: they were printed in the order of `envs`.
python_of() {
    local i
    for i in "${!envs[@]}"; do [[ ${envs[i]} != "$1" ]] || sed -n "$((i + 1))p" "$scratch/envs"; done
}
tools=$(python_of tools)

if [[ $binary == yes && -z ${ENGRAM_TEST_PG_URI:-} ]]; then
    python3 -m testkit.postgres serve --uri-file "$scratch/postgres-uri" &
    postgres_pid=$!
    for _ in $(seq 300); do
        [[ ! -s $scratch/postgres-uri ]] || break
        kill -0 "$postgres_pid" 2>/dev/null || { echo "Postgres did not start" >&2; exit 1; }
        sleep 0.1
    done
    ENGRAM_TEST_PG_URI=$(<"$scratch/postgres-uri")
    export ENGRAM_TEST_PG_URI
fi

rust_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        # nextest does not run the examples in the documentation.
        cargo nextest run --workspace --locked --no-fail-fast && cargo test --workspace --locked --doc --quiet
    else
        cargo test --workspace --locked --no-fail-fast
    fi
}
! wants checks || run "formatting, lints, links, dependencies" tests/checks.sh "$(python_of checks)"
! wants rust || run "Rust tests" rust_tests
! wants behaviour || run "test helpers and mock model" "$tools" -m pytest -q tests/lib
! wants sdk || run "official SDKs" "$tools" tests/sdk/run.py
! wants api || run "API tests of letta-client 1.12.1" "$tools" tests/sdk/api_suite/run.py
! wants behaviour || run "behaviour" "$tools" -m pytest -q tests/behaviour
! wants recall || run "token cost of sleep-time" "$tools" tests/sleeptime/token_cost.py
! wants recall || run "recall after compaction" "$tools" tests/recall/recall_after_compaction.py --messages 120 --window 6000
! wants crash || run "kill -9" "$tools" tests/crash/kill9.py --requests 60 --kills 4
! wants crash || run "first start, kill -9" "$tools" tests/crash/first_start.py --kills 6
! wants crash || run "rules of delivery" "$tools" -m pytest -q tests/crash
! wants crash || run "agents that write to each other, kill -9" "$tools" tests/crash/agent_messages.py --agents 50 --letters 240 --kills 3
! wants torment || run "torment checker" "$tools" -m pytest -q tests/torment
! wants torment || run "torment of three nodes" "$tools" tests/torment/torment.py --seed 7 --seconds 30
! wants torment || run "rolling restart" "$tools" tests/torment/rolling.py --rounds 1

printf '\n'
printf '%s\n' "${report[@]}"
bad=$(printf '%s\n' "${report[@]}" | grep -c '^FAILED' || true)
echo "parts: $((${#report[@]} - bad)) passed, $bad failed"
exit "$failed"
