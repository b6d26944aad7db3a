# Turns the named statements of db/sql/*.sql into rows of table t.statement (file, name, text), by the rules of db/sqlgen.awk: a
# statement begins at `-- name: NAME` and ends before the next such line or the end of its file; comment lines and the last semicolon
# are not part of it. Those that copy cannot be prepared, and are left out. Output is SQL.
function flush() {
    if (name == "" || copy) { name = text = ""; return }
    sub(/[ \n]*;[ \n]*$/, "", text)
    printf "INSERT INTO t.statement VALUES ('%s', '%s', $statement$%s$statement$);\n", file, name, text
    name = ""; text = ""
}
BEGIN { print "CREATE TABLE t.statement (file text, name text PRIMARY KEY, text text NOT NULL);" }
FNR == 1 { flush(); file = FILENAME; sub(/.*\//, "", file) }
/^-- name: / { flush(); name = $3; copy = $NF == "copy"; next }
/^[ \t]*--/ { next }
name != "" && NF > 0 { text = text (text == "" ? "" : "\n") $0 }
END { flush() }
