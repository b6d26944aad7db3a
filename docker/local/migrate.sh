#!/usr/bin/env bash
# migrate.sh: brings a database to the newest schema with Sqitch.
#   migrate.sh postgres://USER@HOST[:PORT]/DATABASE     any PostgreSQL 15 or later; further libpq settings (PGPASSWORD,
#                                                       PGSSLMODE, PGHOST for a socket …) come from the environment
# The user needs CREATEROLE and the right to create schemas (migrations/README.md). It changes nothing but that database.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

. "$(dirname "$0")/settings.sh"

url=${1:-}
case $url in
    postgres://* | postgresql://*) target=db:pg://${url#*://} ;;
    db:pg:*) target=$url ;;
    *) die "migrate needs the database: make migrate DB=postgres://USER@HOST/DATABASE" ;;
esac

# Sqitch names the person in its log and wants to know the time zone (settings.sh); a bare machine knows neither.
export SQITCH_FULLNAME=${SQITCH_FULLNAME:-${USER:-idscope}} SQITCH_EMAIL=${SQITCH_EMAIL:-${USER:-idscope}@localhost}
exec sqitch --chdir "$ROOT/migrations" deploy --target "$target"
