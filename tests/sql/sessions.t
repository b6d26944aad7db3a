#!/bin/bash
# What two sessions that work at once leave behind, statement by statement: who waits for whom, and that none passes where one may. Each session
# is a psql that is told what to do next; a step that has to wait is seen waiting in pg_locks before the other goes on.
# shellcheck source=tests/sql/lib/script.sh
. "$(dirname "$0")/lib/script.sh"
cluster_start || exit 1
cluster_psql postgres idscope -f "$lib/helpers.sql" -o /dev/null -c 'SELECT t.world()' || exit 1
awk -f "$lib/statements.awk" "$cluster_root"/db/sql/*.sql | cluster_psql postgres idscope || exit 1

declare -A pipe step
ask() { cluster_psql postgres idscope -At -c "$1"; }
session() { # NAME: begins it
    mkfifo "$work/$1.in"
    cluster_psql postgres idscope -At -v ON_ERROR_STOP=0 <"$work/$1.in" >"$work/$1.out" 2>&1 &
    exec {pipe[$1]}>"$work/$1.in"
    step[$1]=0
}
say() { # NAME SQL: begins a step
    step[$1]=$((step[$1] + 1))
    printf '%s\n\\echo step %s\n' "$2" "${step[$1]}" >&"${pipe[$1]}"
}
until_true() { # COMMAND…
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    return 1
}
answered() { grep -qx "step ${step[$1]}" "$work/$1.out"; }
is_waiting() { [ "$(ask 'SELECT count(*) FROM pg_locks WHERE NOT granted')" != 0 ]; }
heard() { # NAME: what the last step said, without the lines that say nothing
    until_true answered "$1" || { echo "no answer to step ${step[$1]}"; return; }
    sed -n "/^step $((step[$1] - 1))\$/,/^step ${step[$1]}\$/p" "$work/$1.out" | grep -vE '^(step .*)?$'
}
waits() { # NAME WHAT
    until_true is_waiting; ok $? "$2"
    answered "$1"; ok $(($? == 0)) '  (and is not done)'
}
run() { # STATEMENT PARAMETERS [TENANT [PROGRAM]]: the SQL that runs it as a program does
    printf "SELECT t.run('%s', %s, tenant => '%s', who => 'idscope_%s');" "$1" "$2" "${3:-a}" "${4:-api}"
}
session one
session two
for name in one two; do say $name ''; heard $name >"$work/none"; done

# --- a name, wanted by two tenants at once
hub() { run hub_insert "t.place('$1') || \$\$, 'hub-new', 'hub-new', 'west', '{}', 'S1', 1, '{}', '{}'\$\$" "$1"; }
registered() { ask "SELECT string_agg(r.hub_key || ' ' || (h.hub_id IS NOT NULL), ', ') FROM idscope.hub_registry r LEFT JOIN idscope.hub h USING (hub_id) WHERE r.hub_key = 'hub-new' AND r.retired_at IS NULL"; }
say one "BEGIN; $(hub a)"; heard one >"$work/none"
say two "BEGIN; $(hub b)"
waits two 'who wants a name that is just being taken waits'
say one 'ROLLBACK;'; say two 'COMMIT;'
is "$(heard two)" '' 'and gets it when it is not'
is "$(registered)" 'hub-new true' 'with the one registry row'
say one "BEGIN; $(hub a)"
like "$(heard one)" 'hub_pkey' 'a name that is taken is refused'
say one 'ROLLBACK;'
is "$(registered)" 'hub-new true' 'and nothing of the other is left'
say two "BEGIN; $(run hub_delete "t.place('b') || \$\$, 'hub-new', NULL, '.hub.x'\$\$" b)"; heard two >"$work/none"
say one "BEGIN; $(hub a) SELECT t.become('idscope_api', 'a'); SELECT 'may take it: ' || idscope.name_take('hub', 'hub-new'); ROLLBACK;"
waits one 'who wants a name that is just being given up waits'
say two 'COMMIT;'
is "$(heard one)" 'may take it: false' 'and is told that it rests for its tenant'
is "$(registered)" '' 'and nobody has it'

instance() { run instance_insert "t.place('$1') || \$\$, 'inst-new', 'inst-new', '$2', '$2', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'\$\$" "$1"; }
scopes() { ask "SELECT string_agg(s.id_scope || ' ' || (i.id_scope IS NOT NULL), ', ') FROM idscope.scope s LEFT JOIN idscope.instance i USING (id_scope) WHERE s.id_scope > '0nea'"; }
say one "BEGIN; $(instance a 0neaaaaaaaa)"; heard one >"$work/none"
say two "BEGIN; $(instance b 0nebbbbbbbb)"
waits two 'an instance of the same name waits'
say one 'COMMIT;'
like "$(heard two)" 'instance_name' 'and is refused'
say two 'ROLLBACK;'; heard two >"$work/none"
is "$(scopes)" '0neaaaaaaaa true' 'and issues no ID scope'
say one "BEGIN; $(run instance_insert "t.place('a') || \$\$, 'inst-one', 'inst-one', '0necccccccc', '0necccccccc', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'\$\$")"; heard one >"$work/none"
say two "BEGIN; $(run instance_insert "t.place('b') || \$\$, 'inst-two', 'inst-two', '0necccccccc', '0necccccccc', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'\$\$" b)"
waits two 'an ID scope that is just being issued is waited for'
say one 'COMMIT;'; say two 'COMMIT;'; heard two >"$work/none"
is "$(scopes)" '0neaaaaaaaa true, 0necccccccc true' 'and issued once'
is "$(ask "SELECT name_key FROM idscope.instance WHERE id_scope = '0necccccccc'")" 'inst-one' 'to who was first'

# --- a device id, wanted by two enrollments at once
enrolls() { # NAME KEY [DEVICE [CERTIFICATE]]: locks and writes, as one transaction does; the answer is live, unlinked, taken by, unproved, written, …
    local device=NULL named=NULL
    if [ -n "${3:-}" ]; then device="'$3'"; fi
    if [ -n "${4:-}" ]; then named="'$4'"; fi
    say "$1" "SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name IN ('enrollment_names_lock', 'enrollment_certificates_lock', 'enrollment_insert') AND name NOT IN (SELECT name FROM pg_prepared_statements) \\gexec
BEGIN; SELECT t.become('idscope_api', 'a'); EXECUTE enrollment_names_lock (t.scope('a'), '{${3:-$2}}'); EXECUTE enrollment_certificates_lock (t.tenant('a'), t.scope('a'), ARRAY[$named]) \\g /dev/null
EXECUTE enrollment_insert (t.scope('a'), 1, '$2', '$2', $device, 'symmetricKey', '\\x01', 'enabled', NULL, NULL, NULL, true, true, false, NULL, NULL, NULL, false, 100, $named, NULL);"
}
enrolls one first shared; like "$(heard one)" '^t\|\|\|\|t' 'an enrollment takes a device id'
enrolls two second shared
waits two 'another one that wants it at the same time waits'
say one 'COMMIT;'; heard one >"$work/none"
like "$(heard two)" '^t\|\|first\|\|f' 'and is told whose it is'
say two 'ROLLBACK;'; heard two >"$work/none"
enrolls one third; like "$(heard one)" '^t\|\|\|\|t' 'an enrollment takes its registration id'
enrolls two fourth third
waits two 'which nobody can name as a device id meanwhile'
say one 'COMMIT;'; heard one >"$work/none"
like "$(heard two)" '^t\|\|third\|\|f' 'nor after that'
say two 'ROLLBACK;'; heard two >"$work/none"

# --- a certificate, named by an enrollment and deleted at once
ask "UPDATE idscope.certificate SET is_verified = true WHERE id_scope = t.scope('a')"
drops() { # NAME: locks the certificate, and asks who names it
    say "$1" "SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name IN ('certificate_lock', 'certificate_named_by', 'certificate_delete') AND name NOT IN (SELECT name FROM pg_prepared_statements) \\gexec
BEGIN; SELECT t.become('idscope_api', 'a'); EXECUTE certificate_lock (t.tenant('a'), t.scope('a'), 'ca-a'); EXECUTE certificate_named_by (t.scope('a'), 'ca-a');"
}
enrolls one naming '' ca-a; like "$(heard one)" '^t\|\|\|\|t' 'an enrollment names a certificate'
drops two
waits two 'who would delete it meanwhile waits'
say one 'COMMIT;'; heard one >"$work/none"
like "$(heard two)" 'naming\|f' 'and is told who names it'
say two 'ROLLBACK;'; heard two >"$work/none"
ask "DELETE FROM idscope.enrollment WHERE registration_key = 'naming'"
drops two; heard two >"$work/none"
say two "EXECUTE certificate_delete (t.tenant('a'), t.scope('a'), 'ca-a');"; heard two >"$work/none"
enrolls one late '' ca-a
waits one 'an enrollment that names one which is just being deleted waits'
say two 'COMMIT;'; heard two >"$work/none"
like "$(heard one)" '^t\|\|\|ca-a\|f' 'and is not written'
say one 'ROLLBACK;'; heard one >"$work/none"

# --- a list that is written as a whole, and who comes across it meanwhile
ask "SELECT t.put('enrollment', '{\"of_group\": true, \"registration_key\": \"hall\", \"registration_id\": \"hall\"}')" >"$work/none"
imports() { # NAME KIND TABLE ROW: a list of one row, which stands before its being written
    ask "SELECT t.put('import', jsonb_build_object('import_id', md5('$1')::uuid, 'kind', '$2', 'whole', true, 'state', 'writing')),
                t.put('import_$2', jsonb_build_object('import_id', md5('$1')::uuid, 'line', 1) || '$3'),
                t.put('job', jsonb_build_object('kind', 'import', 'subject', md5('$1')::uuid::text, 'fence', 7))" >"$work/none"
}
writes() { # NAME LIST: begins the transaction in which it is written
    say "$1" "BEGIN; SET LOCAL ROLE idscope_worker; SELECT looked, refused FROM idscope.import_write(t.scope('a'), md5('$2')::uuid, '', 0, '', 100, 100);"
}
turn() { # NAME: what a single write begins with
    say "$1" "SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name = 'enrollment_turn' AND name NOT IN (SELECT name FROM pg_prepared_statements) \\gexec
BEGIN; SELECT t.become('idscope_api', 'a'); EXECUTE enrollment_turn (t.scope('a'), 60000); SELECT 'its turn'; ROLLBACK;"
}
listed() { ask "SELECT count(*) FROM idscope.$1 WHERE id_scope = t.scope('a') AND registration_key = 'listed'"; }
imports whole enrollment '{"registration_key": "listed", "registration_id": "Listed"}'
session dies; say dies ''; heard dies >"$work/none"
writes dies whole; is "$(heard dies)" '1|0' 'a list is written as a whole'
is "$(listed enrollment)" 0 'of which nobody sees anything yet'
turn two; like "$(heard two)" 'lock timeout' 'who would write an enrollment meanwhile is told so at once'
is "$(ask "SELECT count(*) FROM pg_locks WHERE NOT granted")" 0 '  (and waits for nothing)'
ask "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'" >"$work/none"
until_true [ "$(ask "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 0 ]
is "$(listed enrollment)" 0 'nothing is left of one whose worker is gone'
turn two; like "$(heard two)" 'its turn' 'and nobody is kept from writing'
writes one whole; heard one >"$work/none"
say one "SELECT idscope.import_move(t.scope('a'), md5('whole')::uuid, 7, 'succeeded', 1, '', 0); COMMIT;"
is "$(heard one)" t 'the next one begins from its beginning'
is "$(listed enrollment)" 1 'and then all are there'
ask "DELETE FROM idscope.enrollment WHERE id_scope = t.scope('a') AND registration_key = 'listed'"
registers() { # NAME KEY: a device of the group for the first time
    run register_write "format('ARRAY[%L], ARRAY[%L], ARRAY[%L], ARRAY[1]::bigint[], ARRAY[1]::bigint[], ARRAY[true], ARRAY[gen_random_uuid()], ARRAY[0]::bigint[], ARRAY[gen_random_uuid()],
        ARRAY[''assigning''], ARRAY[''west''], ARRAY[false], ARRAY[NULL]::bytea[], ARRAY[''hall''], ARRAY[%L]', t.scope('a'), '$1', '$1', '$1')"
}
imports states registration '{"registration_key": "listed", "registration_id": "listed", "enrollment_group": "hall"}'
writes one states; is "$(heard one)" '1|0' 'so are registrations'
say two "$(registers listed) $(registers unlisted)"; heard two >"$work/none"
is "$(listed registration)" 0 'a device on the list that registers meanwhile is not written, and waits for nothing'
is "$(ask "SELECT count(*) FROM idscope.registration WHERE registration_key = 'unlisted'")" 1 'others are'
say one "SELECT idscope.import_move(t.scope('a'), md5('states')::uuid, 7, 'succeeded', 1, '', 0); COMMIT;"; heard one >"$work/none"
is "$(ask "SELECT status FROM idscope.registration WHERE registration_key = 'listed'")" assigned 'and then it has the hub that the list names'
ask "DELETE FROM idscope.registration WHERE registration_key IN ('listed', 'unlisted'); DELETE FROM idscope.job WHERE subject = 'unlisted'"

# --- what a tenant holds, counted behind what is written
counts() { # NAME SCOPE: makes an instance and asks what there is
    say "$1" "SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name LIKE 'tenant_%' AND name NOT IN (SELECT name FROM pg_prepared_statements) AND file = 'instance.sql' \\gexec
BEGIN; $(run instance_insert "t.place('a') || \$\$, 'inst-$1-$2', 'inst-$1-$2', '$2', '$2', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'\$\$")
SELECT t.become('idscope_api', 'a'); EXECUTE tenant_lock (t.tenant('a')); EXECUTE tenant_holds (t.tenant('a'), t.subscription('a'));"
}
before=$(ask "SELECT count(*) FROM idscope.instance WHERE tenant_id = t.tenant('a')")
counts one 0ned0000001
like "$(heard one)" "^$((before + 1))\|" 'who makes an instance counts it'
counts two 0ned0000002
waits two 'who makes another one at the same time waits with the count'
say one 'COMMIT;'
like "$(heard two)" "^$((before + 2))\|" 'and counts both'
say two 'ROLLBACK;'; heard two >"$work/none"
counts one 0ned0000003
like "$(heard one)" "^$((before + 2))\|" 'but not one that was refused'
say one 'ROLLBACK;'; heard one >"$work/none"

# --- an assignment that begins to wait in the moment in which its hub comes back: each side writes, commits, and then looks for the other
due() { ask "SELECT due_at <= now() FROM idscope.job WHERE kind = 'assign' AND id_scope = t.scope('a')"; }
wait_begins() { run assign_wait "format('%L, %L, %L, %L, %L, %L, %L, %L, %L, %L', t.scope('a'), '{device-a}', '{0}', '{3600000}', '{t}', '{waiting}', '{NULL}', '{f}', '{device-a}', '{a.hub.example}')" a worker; }
returns() { run link_validated "format('%L, ''a.hub.example'', 0, 1, ''valid'', NULL, true, 60000', t.scope('a'))" a worker; }
look() { run link_wake_assign "format('%L, ''{a.hub.example}'', NULL, 2000', t.scope('a'))" a worker; }
back_down() { ask "UPDATE idscope.linked_hub SET state = 'unreachable' WHERE id_scope = t.scope('a');
                   INSERT INTO idscope.job (id_scope, kind, subject, due_at) VALUES (t.scope('a'), 'link_validate', 'a.hub.example', now())"; }
back_down
say one "BEGIN; $(wait_begins)"; heard one >"$work/none"
say two "$(returns) $(look)"; heard two >"$work/none"
is "$(due)" t 'the wait is not committed: as the hub saw it, nobody waits'
say one "COMMIT;"; heard one >"$work/none"
is "$(due)" f 'so it was not woken'
say one "$(look)"; heard one >"$work/none"
is "$(due)" t 'but who let it wait looks again and finds the hub back'
back_down
say two "BEGIN; $(returns)"; heard two >"$work/none"
say one "$(wait_begins) $(look)"; heard one >"$work/none"
is "$(due)" f 'a return that is not committed is seen by nobody'
say two "COMMIT; $(look)"; heard two >"$work/none"
is "$(due)" t 'and wakes who waits when it is'

# --- events are settled up to an id when nothing smaller can come any more: who drew a smaller one may commit later
noted() { echo "BEGIN; SELECT t.become('idscope_api', 'a'); SELECT idscope.note('hub', 'hub-$1', '{}');"; }
settled() { ask "SELECT coalesce(settled::text, 'not yet') FROM idscope.audit_settled($1)"; }
mark() { ask "SELECT quote_literal(next_mark) FROM idscope.audit_settled($1)"; }
there() { ask "SELECT count(*) FROM idscope.audit_event WHERE id = $1"; }
is "$(settled NULL)" "$(ask 'SELECT last_value FROM idscope.audit_event_id_seq')" 'where nobody writes, all that was drawn is settled'
say one "$(noted one)"; heard one >"$work/none"
say two "$(noted two) COMMIT;"; heard two >"$work/none"
seen=$(ask 'SELECT max(id) FROM idscope.audit_event')
is "$(there $((seen - 1)))" 0 'an event is there before one with a smaller id'
is "$(settled NULL)" 'not yet' 'and is not settled'
first=$(mark NULL)
is "$(settled "$first")" 'not yet' 'nor later, while the other transaction goes on'
is "$(mark "$first")" "$first" 'which is waited for by the same mark'
say two "$(noted three)"; heard two >"$work/none"
say one 'COMMIT;'; heard one >"$work/none"
is "$(there $((seen - 1)))" 1 'the smaller id has come'
is "$(settled "$first")" "$seen" 'so what was drawn at the mark is settled, though others write meanwhile'
second=$(mark "$first")
is "$(settled "$second")" 'not yet' 'and what was drawn since is not'
say two 'ROLLBACK;'; heard two >"$work/none"
is "$(settled "$second")" "$((seen + 1))" 'until it can never come'
say one 'BEGIN; UPDATE idscope.subscription SET display_name = display_name;'; heard one >"$work/none"
is "$(settled NULL)" "$((seen + 1))" 'a transaction that goes on and has noted nothing delays nobody'
say one 'ROLLBACK;'; heard one >"$work/none"

done_testing
