#!/usr/bin/env bash
# all.sh: every suite, one after the other, as `make test` runs them.
# Responsible for: running all of them even when one fails, a log of each below build/logs/, the runners' own summaries in one block at the
# end, and the verdict: a suite that fails, that skips a test or that says nothing of what it ran fails the whole.
# Must never know what a suite tests, only how its runner sums up.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
logs=build/logs
mkdir -p "$logs"
rm -f "$logs"/*.log
suites=${SUITES:-lint unit-coverage sql flow crash fuzz tsan bench-smoke}
export FUZZ_SECONDS=${FUZZ_SECONDS:-20}

# The lines in which the runner of suite $1 sums up.
summary() {
    case $1 in
        lint) grep -E '^lint: ' "$logs/lint.log" ;;
        sql) grep -E '^(All tests successful|Files=|Result:)' "$logs/sql.log" ;;
        flow) grep -E '^(ℹ|#) (tests|pass|fail|cancelled|skipped|todo) [0-9]+|^flow: ' "$logs/flow.log" | paste -s -d ' ' ;;
        unit | unit-coverage | tsan) cmocka "$logs/$1.log" ;;
        *) grep -E "^$1: |^[a-z-]+: .*(passed|failed|counted|runs)" "$logs/$1.log" | tail -n 6 ;;
    esac
}

# cmocka sums up per program: "[  PASSED  ] 12 test(s)."
cmocka() {
    awk '/^\[  PASSED  \] [0-9]+ test/ { passed += $4; programs++ }
         /^\[  FAILED  \] [0-9]+ test/ { failed += $4 }
         /^\[  SKIPPED \] [0-9]+ test/ { skipped += $4 }
         END { if (programs) printf "cmocka: %d programs, %d tests passed, %d failed, %d skipped\n", programs, passed, failed, skipped }' "$1"
    grep -E '^lines: |^unit: ' "$1" | tail -n 2
}

skipped() {
    grep -qE '^(ℹ|#) (skipped|todo) [1-9]|^\[  SKIPPED \] [1-9]|^ok .* # (skip|SKIP|TODO)|skipped: ' "$1"
}

passed=0
failed=0
report=''
for suite in $suites; do
    printf '\n=== %s\n' "$suite"
    began=$SECONDS
    make --no-print-directory "$suite" 2>&1 | tee "$logs/$suite.log"
    status=${PIPESTATUS[0]}
    words=$(summary "$suite")
    if [ "$status" = 0 ] && [ -z "$words" ]; then status="said nothing of what it ran"; fi
    if [ "$status" = 0 ] && skipped "$logs/$suite.log"; then status="skipped a test"; fi
    if [ "$status" = 0 ]; then passed=$((passed + 1)) verdict=passed; else failed=$((failed + 1)) verdict="FAILED ($status)"; fi
    report+=$(printf '\n%-12s %s, %d s' "$suite" "$verdict" "$((SECONDS - began))")$'\n'
    report+=$(printf '%s\n' "$words" | sed 's/^/    /')
done
printf '\n=== summaries (logs: %s)\n%s\n\nsuites: %d passed, %d failed\n' "$logs" "$report" "$passed" "$failed"
[ "$failed" = 0 ]
