#!/bin/sh
# run.sh NAME SECONDS: runs one fuzz driver over its seeds and prints one line on how it went; the whole output when it
# found something.
set -u
name=$1 seconds=$2
found=build/fuzz/corpus/$name log=build/fuzz/$name.log
mkdir -p "$found"
"build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 -max_len=8192 -timeout=5 -rss_limit_mb=1024 \
    -artifact_prefix="build/fuzz/$name-" "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1
status=$?
stat() { sed -n "s/^stat::$1: *//p" "$log"; }
if [ "$status" -ne 0 ]; then
    cat "$log"
    printf 'fuzz-%s: failed (exit %d), input in build/fuzz/%s-*\n' "$name" "$status" "$name"
    exit 1
fi
covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
printf 'fuzz-%s: %s runs in %s s, %s edges, %s new inputs, nothing found\n' "$name" "$(stat number_of_executed_units)" "$seconds" \
    "${covered#cov: }" "$(stat new_units_added)"
