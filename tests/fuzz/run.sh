#!/bin/sh
# run.sh NAME SECONDS LEAST: runs one fuzz driver over its seeds and prints one line on how it went; the whole output when
# it found something. Fewer than LEAST inputs tried are a failure.
set -u
name=$1 seconds=$2 least=$3
found=build/fuzz/corpus/$name log=build/fuzz/$name.log
mkdir -p "$found"
words=''
[ ! -e "tests/fuzz/words/$name" ] || words=-dict=tests/fuzz/words/$name
"build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 -max_len=8192 -timeout=5 -rss_limit_mb=1024 \
    -artifact_prefix="build/fuzz/$name-" ${words:+"$words"} "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1
status=$?
stat() { sed -n "s/^stat::$1: *//p" "$log"; }
if [ "$status" -ne 0 ]; then
    cat "$log"
    printf 'fuzz-%s: failed (exit %d), input in build/fuzz/%s-*\n' "$name" "$status" "$name"
    exit 1
fi
runs=$(stat number_of_executed_units)
if [ "$runs" -lt "$least" ]; then
    printf 'fuzz-%s: failed: %s runs in %s s, %s at least are wanted\n' "$name" "$runs" "$seconds" "$least"
    exit 1
fi
covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
printf 'fuzz-%s: %s runs in %s s, %s edges, %s new inputs, nothing found\n' "$name" "$runs" "$seconds" \
    "${covered#cov: }" "$(stat new_units_added)"
