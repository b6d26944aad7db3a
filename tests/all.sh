#!/usr/bin/env bash
# all.sh: every suite, one after the other, as `make test` runs them. SUITES="lint flow" runs some.
# Responsible for: running all of them even when one fails, a log of each below build/logs/, the runners' own summaries in one block at the
# end, and the verdict: a suite that fails, that skips a test or that says nothing of what it ran fails the whole.
# Must never know what a suite tests, only its verb and how its runner sums up.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
logs=build/logs

# suite, its verb with settings, and the lines in which its runner sums up
suites() {
    cat <<'TABLE'
lint       | lint                                 | ^lint: 
unit       | unit-coverage                        | ^\[  (PASSED|FAILED)  \] [0-9]+ test|^lines: |^unit: 
unit-asan  | unit FLAVOR=asan                     | ^\[  (PASSED|FAILED)  \] [0-9]+ test|^unit: 
sql        | sql                                  | ^(All tests successful|Files=|Result:)
edge       | edge                                 | ^(ℹ|#) (tests|pass|fail|cancelled|skipped|todo) [0-9]
stack      | stack                                | ^(ℹ|#) (tests|pass|fail|cancelled|skipped|todo) [0-9]
flow       | flow                                 | ^(ℹ|#) (tests|pass|fail|cancelled|skipped|todo) [0-9]|^flow: 
crash      | crash CRASH_DEVICES=5000             | ^crash: 
reprovision | crash-reprovision                   | ^reprovision: 
fuzz       | fuzz FUZZ_SECONDS=20                 | ^fuzz-[a-z0-9]+: 
tsan       | tsan                                 | ^\[  (PASSED|FAILED)  \] [0-9]+ test|^unit: |^tsan: 
many       | bench-many-smoke                     | ^bench-many: 
large      | bench-large-smoke                    | ^bench-large: 
bench      | bench-smoke                          | ^bench[a-z-]*: |^Aims?|measurements in 
TABLE
}

# A runner sums up per program; lines that differ in their numbers only become one.
condensed() {
    awk '/^\[  (PASSED|FAILED)  \]/ { sum[$2] += $4; programs[$2]++; next }
         /^(ℹ|#) / { node = node " " $2 " " $3; next }
         { print }
         END { for (word in sum) printf "cmocka: %d programs, %d tests %s\n", programs[word], sum[word], tolower(word)
               if (node != "") print "node:" node }'
}

skips() { grep -qE '^(ℹ|#) (skipped|todo) [1-9]|^\[  SKIPPED \] [1-9]|^(not )?ok .* # (skip|todo)' -i "$1"; }

mkdir -p "$logs"
rm -f "$logs"/*.log
for name in ${SUITES:-}; do
    grep -qE "^ *$name *\|" <<<"$(suites)" || { echo "all.sh: there is no suite $name" >&2; exit 1; }
done
passed=0 failed=0 report=''
while IFS='|' read -r -u 3 suite verb pattern; do
    suite=${suite// /} verb=$(xargs <<<"$verb") pattern=${pattern# }
    case " ${SUITES:-$suite} " in *" $suite "*) ;; *) continue ;; esac
    printf '\n=== %s (make %s)\n' "$suite" "$verb"
    began=$SECONDS
    # shellcheck disable=SC2086 # a verb and its settings
    make --no-print-directory $verb </dev/null 2>&1 | tee "$logs/$suite.log"
    status=${PIPESTATUS[0]}
    words=$(grep -E "$pattern" "$logs/$suite.log" | condensed)
    if [ "$status" = 0 ] && [ -z "$words" ]; then status="it said nothing of what it ran"; fi
    if [ "$status" = 0 ] && skips "$logs/$suite.log"; then status="it skipped a test"; fi
    if [ "$status" = 0 ]; then passed=$((passed + 1)) verdict=passed; else failed=$((failed + 1)) verdict="FAILED ($status)"; fi
    report+=$(printf '%-10s %s, %d s (make %s)' "$suite" "$verdict" "$((SECONDS - began))" "$verb")$'\n'
    report+="    ${words//$'\n'/$'\n'    }"$'\n'
done 3<<<"$(suites)"
printf '\n=== summaries (logs: %s)\n%s\n%d passed, %d failed\n' "$logs" "$report" "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
