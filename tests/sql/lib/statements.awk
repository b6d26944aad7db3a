# Turns the named statements of db/sql/*.sql into rows of table t.statement (file, name, text, takes_tenant), by the rules of db/sqlgen.awk: a
# statement begins at `-- name: NAME` and ends before the next such line or the end of its file; comment lines and the last semicolon
# are not part of it. Those that copy cannot be prepared, and are left out. A statement takes a tenant where a comment below its name
# says so of a parameter (`$1 tenant`). Output is SQL.
function flush() {
    if (name == "" || copy) { name = text = ""; return }
    sub(/[ \n]*;[ \n]*$/, "", text)
    printf "INSERT INTO t.statement VALUES ('%s', '%s', $statement$%s$statement$, %s);\n", file, name, text, tenant ? "true" : "false"
    name = ""; text = ""
}
BEGIN { print "CREATE TABLE t.statement (file text, name text PRIMARY KEY, text text NOT NULL, takes_tenant boolean NOT NULL);" }
FNR == 1 { flush(); file = FILENAME; sub(/.*\//, "", file) }
/^-- name: / { flush(); name = $3; copy = $NF == "copy"; tenant = 0; next }
/^[ \t]*--/ { if (/\$[0-9]+ tenant/) tenant = 1; next }
name != "" && NF > 0 { text = text (text == "" ? "" : "\n") $0 }
END { flush() }
