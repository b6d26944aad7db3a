#!/usr/bin/env bash
# run.sh: all lints, each with one line of result; fails when one fails. Called by `make lint`, which builds the analyzer's objects first.
# From the environment: LINT_C (the C sources), LINT_CPPFLAGS (how they are compiled), LINT_JOBS.
# Must never change a file, and never stop at the first failure: the reader wants them all.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
failed=0
found=build/lint
mkdir -p "$found"

# report NAME NOTE COMMAND…: its output is shown only when it fails
report() {
    local name=$1 note=$2
    shift 2
    if "$@" >"$found/$name.txt" 2>&1; then
        printf 'lint: %s: ok (%s)\n' "$name" "$note"
    else
        { grep -E '(error|warning|style|performance|portability):' "$found/$name.txt" || tail -n 80 "$found/$name.txt"; } | sort -u | sed 's/^/  /'
        printf 'lint: %s: FAILED (%s)\n' "$name" "$found/$name.txt"
        failed=1
    fi
}

# Files by ending, without what was built, installed or written by a run.
sources() {
    find . \( -name node_modules -o -name build -o -name var -o -name out -o -name .git \) -prune -o -type f -name "$1" -print | sort
}

scripts() {
    sources '*.sh'
    printf '%s\n' .ci/run
}

tidy() {
    # shellcheck disable=SC2086 # lists of flags and files
    printf '%s\n' $LINT_C | xargs -P "$LINT_JOBS" -I{} clang-tidy-14 --quiet {} -- $LINT_CPPFLAGS
}

# returnDanglingLifetime: cppcheck 2.10 takes a call through a function pointer in a struct for a constructor that keeps the addresses it is given, so
# that TRY would return them. Addresses of locals that escape are looked for by clang-tidy (StackAddressEscape) and gcc's analyzer.
check_with_cppcheck() {
    # shellcheck disable=SC2086 # lists of flags and files
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$LINT_JOBS" \
        -I. -D_GNU_SOURCE --suppress=missingIncludeSystem --suppress=returnDanglingLifetime $LINT_C
}

check_format() { { sources '*.c'; sources '*.h'; } | xargs clang-format-14 --dry-run -Werror; }

parse_scripts() { sources '*.js' | xargs -n 1 node --check; }
# SC2317: functions that are called by name (report) look unreachable to it.
check_shell() { scripts | xargs shellcheck -x -e SC2317; }

# The whole C as gcc's analyzer sees it: the objects are built (and so kept while nothing changed) in a flavour of their own.
analyze() { make --no-print-directory --keep-going -j "$LINT_JOBS" build FLAVOR=analyzer CFLAGS_analyzer='-O1 -fanalyzer'; }

node tests/lint/source.js || failed=1
report format "$({ sources '*.c'; sources '*.h'; } | grep -c .) files as .clang-format lays them out" check_format
report node "$(sources '*.js' | grep -c .) scripts parse" parse_scripts
report shellcheck "$(scripts | grep -c .) scripts" check_shell
report cppcheck "$(wc -w <<<"$LINT_C") files" check_with_cppcheck
report analyzer "gcc -fanalyzer, $(wc -w <<<"$LINT_C") files" analyze
report clang-tidy "$(wc -w <<<"$LINT_C") files" tidy
exit "$failed"
