# sqlgen.awk: turns the named statements of db/sql/*.sql into an enum (header) and a table of name and text (source).
# A statement begins at a line `-- name: NAME` and ends before the next such line or the end of its file. Comment lines
# stay out of the text that is sent; a trailing semicolon is cut.
function flush(   i) {
    if (name == "") return
    sub(/[ \n]*;[ \n]*$/, "", text)
    names[count] = name; texts[count] = text; count++
    name = ""; text = ""
}
BEGIN { count = 0; name = "" }
FNR == 1 { flush() }
/^-- name: / { flush(); name = $3; if (name in seen) { print "sqlgen: " name " stands twice" > "/dev/stderr"; exit 1 } seen[name] = 1; next }
/^[ \t]*--/ { next }
name != "" && NF > 0 { text = text (text == "" ? "" : "\n") $0 }
END {
    flush()
    print "/* Made by db/sqlgen.awk from db/sql. */" > header
    print "#ifndef IDSCOPE_SQL_GEN_H\n#define IDSCOPE_SQL_GEN_H\nenum sql_id {" > header
    for (i = 0; i < count; i++) printf "    SQL_%s,\n", toupper(names[i]) > header
    print "    SQL_COUNT\n};\nstruct sql_text { const char *name, *text; };\nextern const struct sql_text sql_texts[SQL_COUNT];\n#endif" > header
    print "/* Made by db/sqlgen.awk from db/sql. */\n#include \"sql_gen.h\"\nconst struct sql_text sql_texts[SQL_COUNT] = {" > source
    for (i = 0; i < count; i++) {
        gsub(/\\/, "\\\\", texts[i]); gsub(/"/, "\\\"", texts[i]); gsub(/\n/, "\\n\"\n     \"", texts[i])
        printf "    {\"%s\",\n     \"%s\"},\n", names[i], texts[i] > source
    }
    print "};" > source
}
