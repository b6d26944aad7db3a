#!/bin/bash
# Runs the database tests: the pgTAP files of this folder with pg_prove, then the deployment and plan tests (*.t) with prove.
# Responsible for a private cluster that holds the schema, pgTAP and the helpers, and for its end. A run that ran no test, skipped one
# or left one to do is a failure. Arguments: files to run instead of all.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/cluster.sh
. "$here/../lib/cluster.sh"
export cluster_root # states.sql asks the tree

# Shows a runner's output as it comes and holds its summary against the rule above.
judged() {
    local out status=0
    out=$(mktemp)
    "$@" 2>&1 | tee "$out" || status=$?
    if ! grep -qE '^Files=[1-9][0-9]*, Tests=[1-9]' "$out" || ! grep -qx 'Result: PASS' "$out"; then
        echo "tests/sql: $1 ran no test, or not all passed" >&2
        status=1
    fi
    if grep -qiE 'skipped|# todo' "$out"; then
        echo "tests/sql: a test was skipped or left to do" >&2
        status=1
    fi
    rm -f "$out"
    return $status
}

files=("$@")
if [ ${#files[@]} = 0 ]; then files=("$here"/*.sql "$here"/*.t); fi
pgtap=() scripts=()
for file in "${files[@]}"; do
    case $file in
        *.sql) pgtap+=("$file") ;;
        *) scripts+=("$file") ;;
    esac
done

failed=0
if [ ${#pgtap[@]} -gt 0 ]; then
    trap cluster_stop EXIT
    cluster_start
    cluster_psql postgres idscope -c 'CREATE EXTENSION pgtap' -f "$here/lib/helpers.sql"
    awk -f "$here/lib/statements.awk" "$cluster_root"/db/sql/*.sql | cluster_psql postgres idscope
    awk -f "$here/lib/limits.awk" "$cluster_root/core/limits.def" "$cluster_root/core/attest/attest.def" | cluster_psql postgres idscope
    judged pg_prove --host "$CLUSTER_DIR" --port 5432 --username postgres --dbname idscope "${pgtap[@]}" || failed=1
fi
if [ ${#scripts[@]} -gt 0 ]; then
    judged prove --exec bash "${scripts[@]}" || failed=1
fi
exit $failed
