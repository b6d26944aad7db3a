# TAP output for test scripts in bash: each check prints one line, done_testing prints the plan. Nothing else belongs here.
# shellcheck shell=bash
tap_count=0
tap_failed=0

# ok STATUS WHAT: passes when STATUS is 0
ok() {
    tap_count=$((tap_count + 1))
    if [ "$1" = 0 ]; then
        printf 'ok %d - %s\n' "$tap_count" "$2"
    else
        tap_failed=$((tap_failed + 1))
        printf 'not ok %d - %s\n' "$tap_count" "$2"
    fi
}

# is HAVE WANT WHAT
is() {
    if [ "$1" = "$2" ]; then
        ok 0 "$3"
    else
        ok 1 "$3"
        printf '%s\n' '# have:' "$1" '# want:' "$2" | sed 's/^[^#]/#   &/'
    fi
}

# like TEXT PATTERN WHAT (extended regular expression)
like() {
    if grep -qE -- "$2" <<<"$1"; then ok 0 "$3"; else
        ok 1 "$3"
        printf '%s\n' "# no match for $2 in:" "$1" | sed 's/^[^#]/#   &/'
    fi
}

# same FILE FILE WHAT
same() {
    local difference
    if difference=$(diff -u "$1" "$2"); then ok 0 "$3"; else
        ok 1 "$3"
        head -n 40 <<<"$difference" | sed 's/^/# /'
    fi
}

done_testing() {
    printf '1..%d\n' "$tap_count"
    [ $tap_failed = 0 ]
}
