#!/bin/bash
# migrate.sh: brings the deployment's database to the newest schema and gives its roles their passwords. Runs at every `up`;
# where nothing is new it changes nothing.
set -euo pipefail

export PGHOST=db PGUSER=postgres PGPASSFILE=/secrets/admin/postgres.pgpass HOME=/tmp
export SQITCH_FULLNAME=idscope SQITCH_EMAIL=idscope@localhost
sqitch --chdir /migrations deploy --target db:pg:idscope

for role in idscope_api idscope_worker idscope_admin; do
    psql -X -q -v ON_ERROR_STOP=1 -v role="$role" -v password="$(cat "/secrets/admin/$role.password")" -d idscope \
        <<<"alter role :\"role\" password :'password'"
done
