# Turns the rows of core/limits.def into rows of t.limit_row (name, least, most, checks) and t.word_row (name, checks, words), and those of
# core/attest/attest.def into rows of t.attest_row (word: in lower case). Output is SQL.
function text(s) { gsub(/'/, "''", s); return "'" s "'" }
BEGIN {
    print "CREATE TABLE t.limit_row (name text PRIMARY KEY, least int NOT NULL, most int NOT NULL, checks text[] NOT NULL);"
    print "CREATE TABLE t.word_row (name text PRIMARY KEY, checks text[] NOT NULL, words text[] NOT NULL);"
    print "CREATE TABLE t.attest_row (word text PRIMARY KEY);"
}
match($0, /^ATTEST\([A-Z0-9_]+/) {
    word = tolower(substr($0, 8, RLENGTH - 7))
    gsub(/_/, "", word)
    printf "INSERT INTO t.attest_row VALUES (%s);\n", text(word)
}
match($0, /^(LIMIT|WORDS)\(.*\)$/) {
    kind = substr($0, 1, 5)
    line = substr($0, 7, length($0) - 7)
    count = split(line, part, /, */)
    for (i = 1; i <= count; i++) { gsub(/^ +| +$|"/, "", part[i]) }
    if (kind == "LIMIT")
        printf "INSERT INTO t.limit_row VALUES (%s, %d, %d, string_to_array(%s, ' '));\n", text(part[1]), part[2], part[3], text(part[4])
    else {
        words = ""
        for (i = 3; i <= count; i++) words = words (i > 3 ? ", " : "") text(part[i])
        printf "INSERT INTO t.word_row VALUES (%s, string_to_array(%s, ' '), ARRAY[%s]);\n", text(part[1]), text(part[2]), words
    }
}
