# sqlgen.awk: turns the named statements of db/sql/*.sql into an enum (header) and a table of name and text (source).
# A statement begins at a line `-- name: NAME [-> ROW] [as actor] [reads] [copy]` and ends before the next such line or the end of its file.
# ROW is the row that reads its result (db/spec.h), which must then be defined somewhere as db_row_ROW. `as actor` has the statement
# told who acts (db_act): it reads or writes what row-level security guards, or calls idscope.note(). What `reads` alone does no harm
# when it is late, so it is not told until when it is wanted: for the hot look-ups. A `copy` is sent as it is, and prepared nowhere (db_copy). Comment lines stay out of the text that is sent; a
# trailing semicolon is cut.
function flush(   i) {
    if (name == "") return
    sub(/[ \n]*;[ \n]*$/, "", text)
    names[count] = name; texts[count] = text; rows[count] = row; actors[count] = actor; reading[count] = reads; copying[count] = copies; count++
    name = ""; text = ""
}
function fail(why) { print "sqlgen: " why > "/dev/stderr"; exit 1 }
# The words behind the name.
function read_head(   i) {
    name = $3; row = ""; actor = reads = copies = 0
    if (name in seen) fail(name " stands twice")
    seen[name] = 1
    for (i = 4; i <= NF; i++)
        if ($i == "->" && i < NF) row = $(++i)
        else if ($i == "as" && $(i + 1) == "actor") { actor = 1; i++ }
        else if ($i == "reads") reads = 1
        else if ($i == "copy") copies = 1
        else fail(name ": what does " $i " mean?")
}
BEGIN { count = 0; name = "" }
FNR == 1 { flush() }
/^-- name: / { flush(); read_head(); next }
/^[ \t]*--/ { next }
name != "" && NF > 0 { text = text (text == "" ? "" : "\n") $0 }
END {
    flush()
    print "/* Made by db/sqlgen.awk from db/sql. */" > header
    print "#ifndef IDSCOPE_SQL_GEN_H\n#define IDSCOPE_SQL_GEN_H\n#include \"db/spec.h\"\nenum sql_id {" > header
    for (i = 0; i < count; i++) printf "    SQL_%s,\n", toupper(names[i]) > header
    print "    SQL_COUNT\n};\nstruct sql_text {\n    const char *name, *text;\n    const struct db_row *(*row)(void);\n    bool as_actor, reads, copies;\n};" > header
    print "extern const struct sql_text sql_texts[SQL_COUNT];" > header
    for (i = 0; i < count; i++) if (rows[i] != "" && !(rows[i] in declared)) {
        declared[rows[i]] = 1
        printf "const struct db_row *db_row_%s(void);\n", rows[i] > header
    }
    print "#endif" > header
    print "/* Made by db/sqlgen.awk from db/sql. */\n#include \"sql_gen.h\"\nconst struct sql_text sql_texts[SQL_COUNT] = {" > source
    for (i = 0; i < count; i++) {
        gsub(/\\/, "\\\\", texts[i]); gsub(/"/, "\\\"", texts[i]); gsub(/\n/, "\\n\"\n     \"", texts[i])
        printf "    {\"%s\",\n     \"%s\",\n     %s, %s, %s, %s},\n", names[i], texts[i], rows[i] == "" ? "0" : "db_row_" rows[i], actors[i] ? "true" : "false", reading[i] ? "true" : "false", copying[i] ? "true" : "false" > source
    }
    print "};" > source
}
