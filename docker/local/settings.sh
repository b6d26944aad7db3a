# settings.sh: what a local stack is made of (folders, ports, users), from the environment. Sourced by the other scripts
# of this folder; it must never start, stop or change anything.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export TZ=UTC LANG=C.UTF-8 LC_ALL=C.UTF-8

# What a caller may set; stacks with different VAR and EDGE_PORT live side by side.
VAR=${VAR:-$ROOT/var}
case $VAR in /*) ;; *) VAR=$PWD/$VAR ;; esac
FLAVOR=${FLAVOR:-release}            # which build of the programs: release, asan, tsan, crash
DOMAIN=${DOMAIN:-idscope.localhost}
EDGE_PORT=${EDGE_PORT:-8443}
EDGE_ADDRESS=${EDGE_ADDRESS:-}       # where the edge listens; empty: loopback only
EXTRA_NAMES=${EXTRA_NAMES:-}         # further names in the server certificates
TLS_PROFILE=${TLS_PROFILE:-modern}   # or compatible, for clients that know TLS 1.2 with other curves or CBC suites only
PLAIN_PORT=${PLAIN_PORT:-}           # plain listener of api1 (api2: the next port …); empty: none
API_COUNT=${API_COUNT:-1}            # 1 to 4
WORKER_COUNT=${WORKER_COUNT:-1}
UNDELETE_DAYS=${UNDELETE_DAYS:-0}     # of the api; here what is deleted is to be gone
EDGE_VIA=${EDGE_VIA:-}               # what somebody between edge and api adds to the names of the api's sockets; empty: nobody is
API_ARGS=${API_ARGS:-}               # further settings for the programs, separated by blanks
WORKER_ARGS=${WORKER_ARGS:-}
POSTGRES_ARGS=${POSTGRES_ARGS:-}     # further arguments of the database server, e.g. "-c max_connections=400"
START_TIMEOUT_S=${START_TIMEOUT_S:-90}

BUILD=$ROOT/build/$FLAVOR
DEVICE_HOST=global.dps.$DOMAIN

say() { printf '%s\n' "$*"; }
die() {
    printf 'idscope: %s\n' "$*" >&2
    exit 1
}

# Debian keeps the server's programs out of PATH.
pg_bin() {
    local bin
    bin=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | sort -V | tail -n 1)
    if [ -n "$bin" ]; then dirname "$bin"; else pg_config --bindir; fi
}

# As root, nothing of the stack stays root: PostgreSQL runs as `postgres`, the edge as `haproxy`, api and worker as a user of
# the number that they have in containers, which needs no account.
PROGRAM_USER=10001
am_root() { [ "$(id -u)" = 0 ]; }
AS_PROGRAM_USER=(setpriv "--reuid=$PROGRAM_USER" "--regid=$PROGRAM_USER" --clear-groups --no-new-privs --)
as_database_user() {
    if am_root; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        (cd / && exec "$@")
    fi
}

# The folder of the Unix sockets. Socket paths end at 107 bytes and other users must get to some of them, so it is a
# short folder of its own, made once; its name is kept in $VAR/run/sockets.
sockets() { cat "$VAR/run/sockets" 2>/dev/null; }
database_url() { printf 'postgresql://%s@/idscope?host=%s/pg' "$1" "$(sockets)"; }
