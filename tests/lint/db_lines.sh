#!/bin/bash
# Counts what of db/ is decoding and encoding. Usage: tests/lint/db_lines.sh [commit], the working tree without one.
# The rule: a line of db/*.c counts when it moves one value between a struct and a statement's parameters or result, or only serves that:
# it calls a reader (row_*, rows_read*, rows_place, word_*, db_col_*) or a writer of parameters (db_text, db_i64, db_bytea_array, …,
# db_row_args, db_array_args), is a column of a row (COL…, DB_ROW, DB_PARAMS), or makes or fills an array that stands for a column. What
# implements values and connections (db, conn, run, args, row, spec) does not count: it is written once.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=
if [ $# -gt 0 ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    git archive "$1" db | tar -x -C "$work"
    cd "$work"
fi
rule='\b(row_(text|view|bytea|bool|i64|time|uuid|null|text_array|bytea_array|i64_array)|rows_(read|read_all|read_placed|place)|word_(number|text|of))\('
rule+='|\bdb_((text|json|bytea|uuid|i64|i32|bool|time)(_opt|_array)?|row_args|array_args|col_[a-z]+)\('
rule+='|\bCOL(_[A-Z]+)*\(|\bCOLUMN\(|\bDB_(ROW|PARAMS)\('
rule+='|ARENA_NEW_ARRAY\([^;]*(struct (str|bytes|uuid)|int64_t|int32_t|bool)\)'
rule+='|^ +[a-z_.]+\[[ic_]+\](\[[ic]\])? = |^ +struct [a-z_]+ \*[a-z_]+(, \*[a-z_]+)+;|^ +int64_t \*[a-z_]+(, \*[a-z_]+)+;'
files=$(find db -name '*.c' | grep -vE '/(db|conn|run|args|row|spec)\.c$' | sort)
# shellcheck disable=SC2086 # names of ours, without blanks
coding=$(cat $files | grep -cE "$rule")
# shellcheck disable=SC2086 # as above
lines=$(cat $files | wc -l)
printf 'decoding and encoding: %d of %d lines; all of db/*.[ch]: %d\n' "$coding" "$lines" "$(cat db/*.c db/*.h | wc -l)"
