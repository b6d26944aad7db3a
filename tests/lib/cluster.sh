#!/bin/bash
# A throw-away PostgreSQL cluster with the schema deployed, for tests of any kind.
#
# Responsible for: making a private cluster (Unix socket only, no TCP port) in a new folder, deploying migrations/ into database
# "idscope" with plain psql, handing out connection strings, and taking all of it away again by process id.
# Must never touch another cluster, a port, or a file of the clone. It reads migrations/, nothing else.
#
# As a library (`. tests/lib/cluster.sh`; bash; the caller sets `set -euo pipefail` if it wants that):
#   cluster_start [DIR]        new cluster below DIR (default: a new folder below TMPDIR or /tmp); sets CLUSTER_DIR
#   cluster_url ROLE [DB]      prints a connection URI (libpq and programs), e.g. postgresql://idscope_api@/idscope?port=5432&host=/tmp/…
#   cluster_sqitch_url [DB]    prints the same for sqitch's --target
#   cluster_psql ROLE [DB] …   runs psql as that role, stopping at the first error; further arguments go to psql
#   cluster_deploy [DB]        applies migrations/deploy in the order of sqitch.plan with psql
#   cluster_createdb DB        one more, empty database
#   cluster_kill               kill -9 of the server and all its processes, as a crash would do; data stays
#   cluster_restart            starts the server again after cluster_kill or cluster_halt
#   cluster_halt               fast shutdown; data stays
#   cluster_stop               fast shutdown, then removes CLUSTER_DIR; safe to call twice, meant for `trap cluster_stop EXIT`
#
# As a command, for callers in other languages (state lives in DIR alone):
#   tests/lib/cluster.sh start [DIR]       prints the superuser's connection URI; its folder is the argument of all others
#   tests/lib/cluster.sh dir URI           prints that folder
#   tests/lib/cluster.sh url DIR ROLE [DB]
#   tests/lib/cluster.sh stop|kill|halt|restart DIR
#
# Settings from the environment:
#   CLUSTER_DURABLE=1    keeps fsync and full_page_writes on (bench); else they are off, which survives kill -9 of the server all
#                        the same, as every commit is still handed to the kernel (synchronous_commit stays on)
#   CLUSTER_OPTIONS      further lines for postgresql.conf, separated by newlines, e.g. 'max_connections = 200'
#   CLUSTER_DEPLOY=0     leaves database "idscope" empty
#   CLUSTER_USER         whom the server runs as when the caller is root (default postgres): PostgreSQL refuses root
#
# Roles log in without a password ("trust"); the folder is 0700 and belongs to the server's user, so only that user and root
# get to the socket. The superuser is "postgres". A DIR that is given must be short: socket paths end at 107 bytes.

cluster_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Debian keeps the server's programs out of PATH; take the newest of 15 or later.
cluster_bin() {
    if [ -z "${CLUSTER_BIN:-}" ]; then
        CLUSTER_BIN=$(find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)
        CLUSTER_BIN=${CLUSTER_BIN%/initdb}
        CLUSTER_BIN=${CLUSTER_BIN:-$(pg_config --bindir)}
    fi
    printf '%s\n' "$CLUSTER_BIN"
}

# The server's own commands run as its user, from a folder that every user can enter, whatever the clone's is.
cluster_as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u "${CLUSTER_USER:-postgres}" -- "$@")
    else
        (cd / && exec "$@")
    fi
}

cluster_conf() {
    cat <<-CONF
	listen_addresses = ''
	port = 5432
	unix_socket_directories = '$CLUSTER_DIR'
	unix_socket_permissions = 0700
	max_connections = 100
	log_min_messages = warning
	log_line_prefix = '%m [%p] %u@%d '
	timezone = 'UTC'
	CONF
    if [ "${CLUSTER_DURABLE:-0}" != 1 ]; then
        printf '%s\n' 'fsync = off' 'full_page_writes = off'
    fi
    printf '%s\n' "${CLUSTER_OPTIONS:-}"
}

cluster_pid() {
    head -n 1 "$CLUSTER_DIR/data/postmaster.pid" 2>/dev/null
}

# The server's pid, but only while that process really is this cluster's server: a pid file outlives a crash.
cluster_running_pid() {
    local pid
    pid=$(cluster_pid) || return 1
    [ -n "$pid" ] && ps -o args= -p "$pid" 2>/dev/null | grep -qF -- "$CLUSTER_DIR/data" || return 1
    printf '%s\n' "$pid"
}

# Waits until none of the processes runs any more. A dead one that its parent has not fetched yet (Z) counts as ended.
cluster_await_end() {
    local pid tries=0
    for pid in "$@"; do
        while ps -o stat= -p "$pid" 2>/dev/null | grep -qv '^Z'; do
            tries=$((tries + 1))
            [ $tries -lt 1200 ] || { echo "cluster.sh: process $pid does not end" >&2; return 1; }
            sleep 0.05
        done
    done
}

cluster_restart() {
    cluster_running_pid >/dev/null && return 0
    # The lock files of a server that was killed: its pid may still be a dead process that nobody fetched (Z), which to
    # PostgreSQL looks alive.
    rm -f "$CLUSTER_DIR/data/postmaster.pid" "$CLUSTER_DIR"/.s.PGSQL.*
    cluster_as_server "$(cluster_bin)/pg_ctl" -D "$CLUSTER_DIR/data" -l "$CLUSTER_DIR/log" -s -w -t 60 start || {
        tail -n 20 "$CLUSTER_DIR/log" >&2
        return 1
    }
}

# A new folder for a cluster: below TMPDIR, unless the server's user cannot get there or the path would be long.
cluster_new_dir() {
    local base=${TMPDIR:-/tmp}
    if [ ${#base} -gt 60 ] || ! cluster_as_server test -x "$base"; then base=/tmp; fi
    mktemp -d "$base/idscope-pg.XXXXXX"
}

cluster_start() {
    CLUSTER_DIR=${1:-$(cluster_new_dir)}
    mkdir -p "$CLUSTER_DIR"
    CLUSTER_DIR=$(cd "$CLUSTER_DIR" && pwd)
    if [ ${#CLUSTER_DIR} -gt 85 ]; then
        echo "cluster.sh: $CLUSTER_DIR is too long for a socket" >&2
        return 1
    fi
    if [ "$(id -u)" = 0 ]; then chown "${CLUSTER_USER:-postgres}" "$CLUSTER_DIR"; fi
    chmod 0700 "$CLUSTER_DIR"
    cluster_as_server "$(cluster_bin)/initdb" -D "$CLUSTER_DIR/data" -U postgres -A trust -N \
        --locale=C.UTF-8 --encoding=UTF8 >/dev/null || return 1
    cluster_conf >>"$CLUSTER_DIR/data/postgresql.conf"
    cluster_restart || return 1
    cluster_createdb idscope || return 1
    if [ "${CLUSTER_DEPLOY:-1}" = 1 ]; then cluster_deploy idscope; fi
}

cluster_url() {
    printf 'postgresql://%s@/%s?port=5432&host=%s\n' "$1" "${2:-idscope}" "$CLUSTER_DIR"
}

cluster_sqitch_url() {
    printf 'db:pg://postgres@/%s?port=5432&host=%s\n' "${1:-idscope}" "$CLUSTER_DIR"
}

cluster_psql() {
    local role=$1 db=${2:-idscope}
    shift $(($# < 2 ? $# : 2))
    PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" \
        psql -X -q -v ON_ERROR_STOP=1 "$(cluster_url "$role" "$db")" "$@"
}

cluster_createdb() {
    cluster_psql postgres postgres -c "CREATE DATABASE \"$1\""
}

cluster_changes() {
    awk '!/^%/ && NF { print $1 }' "$cluster_root/migrations/sqitch.plan"
}

cluster_deploy() {
    local change
    for change in $(cluster_changes); do
        cluster_psql postgres "${1:-idscope}" -f "$cluster_root/migrations/deploy/$change.sql" || return 1
    done
}

cluster_halt() {
    local pid
    pid=$(cluster_running_pid) || return 0
    kill -INT "$pid"
    cluster_await_end "$pid"
}

cluster_kill() {
    local pid children
    pid=$(cluster_running_pid) || return 0
    children=$(ps -o pid= --ppid "$pid")
    # Stopped first, or the server would start new children while the old ones die.
    kill -STOP "$pid"
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $children 2>/dev/null || true
    kill -KILL "$pid"
    # shellcheck disable=SC2086 # a list of process ids
    cluster_await_end "$pid" $children
}

cluster_stop() {
    [ -n "${CLUSTER_DIR:-}" ] && [ -d "$CLUSTER_DIR" ] || return 0
    cluster_halt
    rm -rf "$CLUSTER_DIR"
}

cluster_main() {
    local verb=${1:-}
    case $verb in
        start)
            cluster_start ${2:+"$2"} && cluster_url postgres
            return
            ;;
        dir)
            printf '%s\n' "${2##*host=}"
            return
            ;;
    esac
    CLUSTER_DIR=${2:?folder of the cluster}
    case $verb in
        url) cluster_url "${3:?role}" "${4:-idscope}" ;;
        stop | kill | halt | restart) "cluster_$verb" ;;
        *)
            echo "usage: cluster.sh start [DIR] | dir URI | url DIR ROLE [DB] | stop|kill|halt|restart DIR" >&2
            return 2
            ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    cluster_main "$@"
fi
