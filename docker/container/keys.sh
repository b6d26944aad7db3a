#!/bin/bash
# keys.sh: makes the secrets of a deployment, once: key ring, database passwords, the edge's secret, private CA and server
# certificates. Each program's volume gets what that program needs and no more. Later runs change nothing, but for server
# certificates whose names (DOMAIN, EXTRA_NAMES) changed or that end soon.
#   /secrets/admin: everything, with the CA's key   /secrets/database: the superuser's password   /secrets/{api,worker,edge}
set -euo pipefail

cd /secrets
umask 077

# once FILE COMMAND…: its output becomes FILE, unless FILE is there; never half a file
once() {
    local file=$1
    shift
    [ -s "$file" ] && return 0
    "$@" > "$file.new"
    mv "$file.new" "$file"
}
random() { openssl rand -hex 32; }

# hand MODE FILE TARGET: a copy, replaced as a whole
hand() {
    install -m "$1" "$2" "$3.new"
    mv "$3.new" "$3"
}

once admin/ring idscope-admin new-key-ring
once admin/edge-secret random
for role in postgres idscope_api idscope_worker idscope_admin; do
    once "admin/$role.password" random
    once "admin/$role.pgpass" printf 'db:5432:*:%s:%s\n' "$role" "$(cat "admin/$role.password")"
done
certs.sh /secrets/admin/tls "$DOMAIN" "${EXTRA_NAMES:-}"

hand 0444 admin/postgres.password database/password # read by the database's own user
for program in api worker; do
    hand 0400 admin/ring $program/ring
    hand 0400 admin/idscope_$program.pgpass $program/pgpass
done
hand 0444 admin/tls/ca.pem worker/ca.pem
hand 0400 admin/edge-secret api/edge-secret
hand 0400 admin/edge-secret edge/edge-secret
for file in ca.pem modern.crtlist compatible.crtlist server.pem.ecdsa server.pem.rsa; do
    hand 0400 admin/tls/$file edge/$file
done
