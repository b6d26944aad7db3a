#!/bin/bash
# Counts what of db/ is decoding and encoding. Usage: tests/lint/db_lines.sh [commit], the working tree without one.
# The rule: a line of db/*.c counts when it moves one value between a struct and a statement's parameters or result, or only serves that:
# it calls a reader (rows_read, rows_first, rows_all, rows_place, db_one, db_first, db_all, db_each), names a parameter (db_text, db_i64,
# db_texts, …, DB_MEMBERS, DB_ARRAYS, a function …_in) or the call that takes them (DB_CALL), is a column of a row (COL…, …_COLS, DB_ROW,
# DB_PARAMS, DB_VALUE), or makes or fills an array that stands for a column. Names of earlier commits stand beside them, so that both can be
# counted. What implements values and connections (db, conn, run, args, row, spec) does not count: it is written once.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=
if [ $# -gt 0 ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    git archive "$1" db | tar -x -C "$work"
    cd "$work"
fi
rule='\b(row_(text|view|bytea|bool|i64|time|uuid|null|text_array|bytea_array|i64_array)|word_(number|text|of))\('
rule+='|\b(rows_(read|first|all|place|read_all|read_placed)|db_(one|first|all|each|col_[a-z]+))\('
rule+='|\bdb_((text|json|bytea|uuid|i64|i32|bool|time)(_opt|_array)?|texts|i64s|row_args|array_args|[a-z_]+_in)\('
rule+='|\bDB_(CALL|MEMBERS|ARRAYS|ROW|PARAMS|VALUE)\(|\bCOL(_[A-Z]+)*\(|\bCOLUMN\(|[A-Z]_COLS\b'
rule+='|ARENA_NEW_ARRAY\([^;]*(struct (str|bytes|uuid)|int64_t|int32_t|bool)\)'
rule+='|^ +[a-z_.]+\[[ic_]+\](\[[ic]\])? = |^ +struct [a-z_]+ \*[a-z_]+(, \*[a-z_]+)+;|^ +int64_t \*[a-z_]+(, \*[a-z_]+)+;'
files=$(find db -name '*.c' | grep -vE '/(db|conn|run|args|row|spec)\.c$' | sort)
# shellcheck disable=SC2086 # names of ours, without blanks
coding=$(cat $files | grep -cE "$rule")
# shellcheck disable=SC2086 # as above
lines=$(cat $files | wc -l)
printf 'decoding and encoding: %d of %d lines; all of db/*.[ch]: %d\n' "$coding" "$lines" "$(cat db/*.c db/*.h | wc -l)"
