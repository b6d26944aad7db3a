#!/bin/bash
# How the schema comes and goes: by sqitch or by psql, twice at once, by a superuser or by a role with less, back and forth; and that
# verify notices damage. Each database here is a new one; roles are global to the cluster, so their coming and going shows too.
# shellcheck source=tests/sql/lib/script.sh
. "$(dirname "$0")/lib/script.sh"
export SQITCH_FULLNAME=test SQITCH_EMAIL=test@localhost SQITCH_USER_CONFIG="$work/none" SQITCH_SYSTEM_CONFIG="$work/none"
CLUSTER_DEPLOY=0 cluster_start || exit 1
migrations=$cluster_root/migrations

run_sqitch() { # VERB DB [USER]
    local verb=$1 url
    url=$(cluster_sqitch_url "$2")
    if [ -n "${3:-}" ]; then url=${url/postgres@/$3@}; fi
    if [ "$verb" = revert ]; then set -- -y; else set --; fi
    (cd "$migrations" && sqitch "$verb" "$@" --target "$url") 2>&1
}
# The schema as text. The key of \restrict lines is random in every dump.
dump() { # DB FILE
    "$(cluster_bin)/pg_dump" --schema-only --schema=idscope --dbname "$(cluster_url postgres "$1")" |
        grep -vE '^\\(un)?restrict ' >"$work/$2"
}
ask() { # DB QUERY
    cluster_psql postgres "$1" -At -c "$2"
}
roles() {
    ask postgres "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'idscope\\_%'"
}
apply() { # DB ROLE FOLDER: every script of deploy or verify in order, of revert backwards
    local change list
    list=$(cluster_changes)
    if [ "$3" = revert ]; then list=$(tac <<<"$list"); fi
    for change in $list; do
        cluster_psql "$2" "$1" -o /dev/null -f "$migrations/$3/$change.sql" || return 1
    done
}

# --- there and back with sqitch
cluster_createdb one
out=$(run_sqitch deploy one); ok $? 'sqitch deploys to an empty database'
like "$out" 'schema_version .. ok' 'and verifies each change on the way'
dump one first
is "$(grep -c '^CREATE TABLE' "$work/first")" "$(cat "$migrations"/deploy/*.sql | grep -c '^CREATE TABLE')" 'the dump holds the tables'
out=$(run_sqitch deploy one); ok $? 'a second deploy has nothing to do'
like "$out" 'Nothing to deploy' 'and says so'
run_sqitch verify one >"$work/out"; ok $? 'sqitch verifies what is deployed'
run_sqitch revert one >"$work/out"; ok $? 'sqitch reverts everything'
is "$(ask one "SELECT count(*) FROM pg_namespace WHERE nspname = 'idscope'")" 0 'nothing of the schema is left'
is "$(roles)" '' 'nor any role, as no other database uses them'
run_sqitch deploy one >"$work/out"; ok $? 'sqitch deploys again'
dump one again
same "$work/first" "$work/again" 'deploy, revert, deploy gives the dump of the first deploy'

# --- psql alone
cluster_createdb plain
apply plain postgres deploy; ok $? 'psql deploys, while another database has the roles already'
dump plain plain
same "$work/first" "$work/plain" 'and gives the same dump as sqitch'
apply plain postgres verify; ok $? 'psql runs the verify scripts'
cluster_psql postgres plain -f "$migrations/deploy/roles.sql" 2>"$work/out"
like "$(cat "$work/out")" 'schema "idscope" already exists' 'a script that was applied already is refused'
apply plain postgres revert; ok $? 'psql reverts'
is "$(ask plain "SELECT count(*) FROM pg_namespace WHERE nspname = 'idscope'")" 0 'nothing of the schema is left'
is "$(roles)" 'idscope_admin idscope_api idscope_owner idscope_worker' 'the roles stay, as the other database uses them'
run_sqitch verify one >"$work/out"; ok $? 'and the other database is whole'

# --- a revert in the middle of the plan
(cd "$migrations" && sqitch revert -y --to hubs --target "$(cluster_sqitch_url one)") >"$work/out" 2>&1; ok $? 'sqitch reverts to a change'
is "$(ask one "SELECT to_regclass('idscope.hub') IS NOT NULL, to_regclass('idscope.instance') IS NULL")" 't|t' 'what stands before it stays'
run_sqitch deploy one >"$work/out"; ok $? 'and deploys the rest again'
dump one again
same "$work/first" "$work/again" 'with the same dump'
run_sqitch revert one >"$work/out"

# --- two at once, to one database, with no role there
cluster_createdb twice
run_sqitch deploy twice >"$work/left" & left=$!
run_sqitch deploy twice >"$work/right" & right=$!
wait $left; ok $? 'two first deploys at once to one database: one ends well'
wait $right; ok $? 'and so does the other'
is "$(cat "$work/left" "$work/right" | grep -c 'Nothing to deploy')" 1 'one of them found nothing left to do'
dump twice again
same "$work/first" "$work/again" 'and the schema is there once'
run_sqitch revert twice >"$work/out"

# --- two at once, to two databases of one cluster, with no role there: several rounds, as the moment matters
failures=0
for round in 1 2 3 4 5; do
    cluster_createdb "left$round"; cluster_createdb "right$round"
    apply "left$round" postgres deploy >"$work/left" 2>&1 & left=$!
    apply "right$round" postgres deploy >"$work/right" 2>&1 & right=$!
    wait $left || { failures=$((failures + 1)); sed 's/^/# /' "$work/left"; }
    wait $right || { failures=$((failures + 1)); sed 's/^/# /' "$work/right"; }
    apply "left$round" postgres revert || failures=$((failures + 1))
    apply "right$round" postgres revert || failures=$((failures + 1))
    is "$(roles)" '' "round $round: the last revert takes the roles along"
done
is $failures 0 'two first deploys at once to two databases of a cluster both end well'
# Waits for what a command looks for, at most a minute: what cannot come any more fails the tests behind it and does not hold them up.
comes() {
    local end=$((SECONDS + 60))
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}
somebody_waits() { [ "$(ask postgres "SELECT count(*) FROM pg_locks WHERE NOT granted")" != 0 ]; }

# The same with a role that another session has made and not committed yet: the deploy waits for it and goes on.
cluster_createdb waiting
cluster_psql postgres postgres -c 'BEGIN' -c 'CREATE ROLE idscope_owner NOLOGIN' \
    -c "\\! echo made >'$work/made'; timeout 60 sh -c \"while ! [ -e '$work/asked' ]; do sleep 0.05; done\"" -c 'COMMIT' & holder=$!
comes test -e "$work/made"
apply waiting postgres deploy 2>"$work/waiting" & deployer=$!
comes somebody_waits
touch "$work/asked"
wait $holder
wait $deployer; ok $? 'a role that another session is just making is waited for and taken'
run_sqitch deploy waiting >"$work/out" 2>&1
apply waiting postgres revert
is "$(roles)" '' 'and reverts as ever'

# --- by a role that is no superuser
ask postgres 'CREATE ROLE deployer LOGIN CREATEROLE'
ask postgres 'CREATE DATABASE lesser OWNER deployer'
out=$(run_sqitch deploy lesser deployer); ok $? 'a role with CREATEROLE that owns the database deploys'
dump lesser again
same "$work/first" "$work/again" 'and gives the same dump'
run_sqitch verify lesser deployer >"$work/out"; ok $? 'it verifies'
cluster_createdb other
apply other postgres deploy; ok $? 'a second database uses the same roles'
out=$(run_sqitch revert lesser deployer); ok $? 'it reverts'
is "$(roles)" 'idscope_admin idscope_api idscope_owner idscope_worker' 'and leaves the roles, as the second database uses them'
ask postgres 'CREATE ROLE bystander LOGIN'
cluster_createdb closed
out=$(run_sqitch deploy closed bystander); ok $(($? == 0)) 'a role that may not create anything is refused'
is "$(ask closed "SELECT count(*) FROM pg_namespace WHERE nspname = 'idscope'")" 0 'and leaves no half of a schema'

ask postgres 'CREATE ROLE humble LOGIN; GRANT idscope_owner TO humble'
cluster_createdb humble
ask postgres 'GRANT CREATE ON DATABASE humble TO humble'
apply humble humble deploy; ok $? 'a member of idscope_owner that may create no roles deploys where the roles exist'
dump humble again
same "$work/first" "$work/again" 'and gives the same dump'
apply humble humble verify; ok $? 'it verifies'
apply humble humble revert; ok $? 'it reverts'
is "$(roles)" 'idscope_admin idscope_api idscope_owner idscope_worker' 'and leaves the roles that it may not drop'

# --- verify notices damage
cluster_createdb template
apply template postgres deploy
while IFS='|' read -r change damage; do
    ask postgres 'CREATE DATABASE hurt TEMPLATE template'
    ask hurt "$damage"
    cluster_psql postgres hurt -o /dev/null -f "$migrations/verify/$change.sql" 2>"$work/out"
    ok $(($? == 0)) "verify of $change notices: $damage"
    ask postgres 'DROP DATABASE hurt'
done <<'DAMAGE'
roles|ALTER SCHEMA idscope OWNER TO postgres
roles|REVOKE USAGE ON SCHEMA idscope FROM idscope_worker
roles|GRANT CREATE ON SCHEMA idscope TO idscope_api
tenancy|ALTER TABLE idscope.tenant DROP COLUMN name CASCADE
tenancy|ALTER TABLE idscope.resource_group DISABLE ROW LEVEL SECURITY
tenancy|ALTER TABLE idscope.name_rest DISABLE ROW LEVEL SECURITY
tenancy|REVOKE INSERT ON idscope.token_key FROM idscope_admin
tenancy|REVOKE UPDATE (disabled_at) ON idscope.service_principal FROM idscope_admin
tenancy|GRANT EXECUTE ON FUNCTION idscope.gate_client(uuid) TO PUBLIC
hubs|DROP TABLE idscope.hub_device CASCADE
hubs|ALTER POLICY hub_policy_api ON idscope.hub_policy USING (true)
hubs|REVOKE UPDATE (version) ON idscope.hub_registry FROM idscope_api
hubs|ALTER FUNCTION idscope.purge_retired_hubs(int) SECURITY INVOKER
instances|DROP POLICY linked_hub_worker ON idscope.linked_hub
instances|REVOKE UPDATE (state) ON idscope.linked_hub FROM idscope_worker
instances|ALTER FUNCTION idscope.gate_instance(text, text) SET search_path = public
instances|DROP FUNCTION idscope.hub_deleted(text, text)
registrations|ALTER TABLE idscope.job RENAME due_at TO due
registrations|REVOKE UPDATE ON idscope.registration FROM idscope_worker
issuers|ALTER TABLE idscope.trusted_issuer DISABLE ROW LEVEL SECURITY
issuers|GRANT SELECT ON idscope.issuer_key TO idscope_api
issuers|ALTER FUNCTION idscope.gate_federated(text, text, text) SECURITY INVOKER
schema_version|DELETE FROM idscope.schema_version
schema_version|REVOKE SELECT ON idscope.schema_version FROM idscope_admin
DAMAGE
ask postgres 'ALTER ROLE idscope_worker BYPASSRLS'
cluster_psql postgres template -o /dev/null -f "$migrations/verify/roles.sql" 2>"$work/out"
ok $(($? == 0)) 'verify of roles notices a role that goes round the row-level rules'
like "$(cat "$work/out")" 'more rights than a program may have: idscope_worker' 'and names it'

done_testing
