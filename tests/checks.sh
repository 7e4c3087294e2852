#!/usr/bin/env bash
# What can be said of the code without running it: formatting, lints, links in the documentation, dependencies.
#
#   tests/checks.sh PYTHON       PYTHON is the interpreter that `python3 -m testkit.envs checks` prints
#
# All of it runs, also when something fails.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$(dirname "$1"):$PATH"
failed=0
check() {
    printf -- '--> %s\n' "$*"
    "$@" || failed=1
}

check cargo fmt --all --check
# Twice, because the crates below the embedded database hide which of the others are there in two versions.
check cargo deny --locked check -A no-license-field -A unnecessary-skip licenses bans sources
check cargo deny --locked --no-default-features --features otlp check -A unmatched-skip-root bans
check cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
# Links to items that do not exist are denied by the lints in Cargo.toml.
check cargo doc --workspace --no-deps --document-private-items --locked --quiet
exit "$failed"
