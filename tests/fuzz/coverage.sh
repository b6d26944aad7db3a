#!/bin/sh
# coverage.sh NAME FILE…: what one fuzz driver runs of the files that it is for, over its seeds and what earlier runs
# found: one line each; fails when a file has fewer than LEAST per cent of its lines run.
set -eu
name=$1
shift
LEAST=70
work=build/fuzzcov program=build/fuzzcov/tests/fuzz/fuzz_$name
mkdir -p "build/fuzz/corpus/$name"
LLVM_PROFILE_FILE="$work/$name.raw" "$program" -runs=0 -max_len=8192 "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; exit 1; }
llvm-profdata-14 merge -sparse "$work/$name.raw" -o "$work/$name.data"
status=0
for file in "$@"; do
    # The report's columns: file, regions (3), functions (3), lines: all, missed, per cent.
    told=$(llvm-cov-14 report "$program" -instr-profile="$work/$name.data" "$file" |
        awk '$1 == "TOTAL" { printf "%d %d", 100 * ($8 - $9) / $8, $8 }')
    per_cent=${told% *}
    printf 'fuzz-coverage: %s: %s %d %% of %d lines\n' "$name" "$file" "$per_cent" "${told#* }"
    if [ "$per_cent" -lt "$LEAST" ]; then
        printf 'fuzz-coverage: %s: %d %% at least are wanted\n' "$file" "$LEAST"
        status=1
    fi
done
exit $status
