#!/usr/bin/env bash
# stack.sh: the local stack: a private PostgreSQL cluster, api, worker and edge, on this machine for this user.
#   stack.sh start                   everything; what already runs as wanted is left alone
#   stack.sh stop                    everything that start started, and nothing else
#   stack.sh forget                  data, keys and certificates of a stopped stack
#   stack.sh start-part PART…        one part again, waiting until it is ready (nothing happens when it runs)
#   stack.sh stop-part PART…         asks it to end and waits
#   stack.sh restart-part PART…
#   stack.sh kill-part PART…         kill -9, as a crash would; for a database server with all its processes
#   stack.sh status                  one line per process
#   stack.sh psql [ARGUMENTS]        psql as the cluster's superuser
# PART: postgres, api (all replicas) or api1 …, worker or worker1 …, edge. Settings: settings.sh (VAR, EDGE_PORT, …).
# Programs must be built (make build). It must never touch a process, a port or a file of anyone else.
# For tests: $VAR/run/stack.env holds addresses; $VAR/run/*.health where each program answers /readyz and /metrics.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/settings.sh"
. "$here/parts.sh"

numbered() { seq -f "$1%g" 1 "$2"; }

# ------------------------------------------------------------------------------------------------- before a start

# is_number NAME FROM TO: the setting of that name is one between them
is_number() {
    if [[ ${!1} =~ ^[0-9]{1,5}$ ]] && ((10#${!1} >= $2 && 10#${!1} <= $3)); then return 0; fi
    die "$1=${!1}: a number from $2 to $3 is wanted"
}

check_settings() {
    is_number EDGE_PORT 1 65535
    if [ -n "$PLAIN_PORT" ]; then is_number PLAIN_PORT 1 65535; fi
    is_number API_COUNT 1 4
    is_number WORKER_COUNT 1 9
    case $TLS_PROFILE in modern | compatible) ;; *) die "TLS_PROFILE=$TLS_PROFILE: modern or compatible is wanted" ;; esac
}

check_tools() {
    local tool PATH=$PATH:/usr/sbin:/sbin
    for tool in setsid flock setpriv ss curl openssl psql sqitch haproxy "$(pg_bin)"/{initdb,postgres,pg_isready}; do
        command -v "$tool" >/dev/null || die "$tool is not installed: make deps"
    done
    for tool in "$BUILD"/idscope-{api,worker,admin}; do
        [ -x "$tool" ] || die "$tool is not built: make build FLAVOR=$FLAVOR"
    done
}

check_rights() {
    local user
    if am_root; then
        for user in postgres haproxy; do
            id "$user" >/dev/null 2>&1 || die "there is no user $user, as whom a part runs when root starts it: make deps"
        done
    fi
    [ -w "$VAR" ] || die "this user may not write in $VAR: choose another folder with VAR=…"
    [ -w /tmp ] || die "this user may not write in /tmp, where the sockets are"
    running edge || (edge_prefix)
}

# The ports that the process NAME listens on: port, address, and the setting that moves it.
ports_of() {
    local number=${1#api}
    case $1 in
        edge) edge_binds | tr ',' '\n' | sed -E 's/^(ipv[46]@)?(.*):([0-9]+)$/\3 \2 EDGE_PORT/; s/ ::1 / [::1] /' && echo ;;
        api*) if [ -n "$PLAIN_PORT" ]; then echo "$((PLAIN_PORT + number - 1)) 127.0.0.1 PLAIN_PORT"; fi ;;
    esac
}

# check_ports NAME: each of them is free, or NAME's already
check_ports() {
    local port address setting who
    while read -r port address setting; do
        if running "$1" && grep -qw "$port" "$VAR/run/$1.command"; then continue; fi
        who=$(holder "$port" "$address")
        if [ -n "$who" ]; then die "port $port is taken by $who: choose another one with $setting=…"; fi
    done < <(ports_of "$1")
}

# What a start can know beforehand, while nothing runs yet that would have to be taken back.
look_ahead() {
    check_settings
    check_tools
    check_rights
    each check_ports edge api
}

# ------------------------------------------------------------------------------------------------- folders

make_folders() {
    mkdir -p "$VAR"/{run,log,keys,tls}
    chmod 700 "$VAR"/{log,keys}
    local dir
    dir=$(sockets || true)
    if [ -z "$dir" ] || ! [ -d "$dir" ] || ! [ -O "$dir" ]; then
        dir=$(mktemp -d "/tmp/idscope.XXXXXX")
        printf '%s' "$dir" > "$VAR/run/sockets"
    fi
    mkdir -p "$dir"/{pg,edge}
    if am_root; then
        chmod 711 "$dir"
        chgrp haproxy "$dir/edge" # setgid: who makes a socket there lets the other side's group in
        chmod 2750 "$dir/edge"
        chown "postgres:$PROGRAM_USER" "$dir/pg"
        chmod 2710 "$dir/pg"
    else
        chmod 700 "$dir/pg"
    fi
}

# ------------------------------------------------------------------------------------------------- postgres

# The cluster's folder: $VAR/pg, or, where the database's user cannot get there (a clone below a 0700 folder), a folder
# that it can reach, with $VAR/pg as a link to it.
make_cluster() {
    local data=$VAR/pg
    [ -s "$data/PG_VERSION" ] && return 0
    say "Making a database cluster in $data"
    rm -rf "${data:?}"
    mkdir -p "$data"
    if am_root; then
        chown postgres "$data"
        if ! as_database_user test -w "$data"; then
            rmdir "$data"
            mkdir -p /var/lib/idscope
            ln -s "$(mktemp -d /var/lib/idscope/pg.XXXXXX)" "$data"
            chown postgres "$data/"
        fi
    fi
    as_database_user "$(pg_bin)/initdb" --pgdata="$(readlink -f "$data")" --username=postgres --auth=trust \
        --locale=C.UTF-8 --encoding=UTF8 >"$VAR/log/initdb.log" || die "initdb failed: see $VAR/log/initdb.log"
    rm -f "$VAR/keys/client.env" # it named rows of a cluster that is gone
}

# A pid file whose process is dead but not yet fetched by its parent would keep the server from starting.
forget_dead_server() {
    local file=$1/postmaster.pid facts
    [ -s "$file" ] || return 0
    facts=$(process_facts "$(head -n 1 "$file")")
    case $facts in Z*) rm -f "$file" ;; esac
}

start_postgres() {
    local data command try
    data=$(readlink -f "$VAR/pg")
    # shellcheck disable=SC2206 # POSTGRES_ARGS is a list
    command=("$(pg_bin)/postgres" -D "$data" -k "$(sockets)/pg" -c listen_addresses= -c unix_socket_permissions=0770
        -c max_connections=200 -c shared_buffers=256MB -c max_wal_size=4GB -c log_line_prefix='%m [%p] %u@%d '
        -c log_min_messages=warning $POSTGRES_ARGS)
    if am_root; then command=(setpriv --reuid=postgres --regid=postgres --init-groups -- "${command[@]}"); fi
    if fresh postgres /dev/null "${command[@]}"; then return 0; fi
    stop_part postgres INT
    # After a crash the server may refuse for a moment, until the last process of the old one is gone.
    for try in 1 2 3 4 5; do
        forget_dead_server "$data"
        launch postgres "${command[@]}"
        until accepts_connections || ! running postgres; do sleep 0.1; done
        if running postgres; then return 0; fi
        [ "$try" = 5 ] || sleep 1
    done
    tail -n 15 "$VAR/log/postgres.log" >&2
    die "the database server does not start; the end of $VAR/log/postgres.log stands above"
}

accepts_connections() { "$(pg_bin)/pg_isready" -q -h "$(sockets)/pg" -U postgres -d postgres; }
super_psql() { PGHOST=$(sockets)/pg PGUSER=postgres psql -X "$@"; }

make_schema() {
    if [ "$(super_psql -d postgres -Atc "select count(*) from pg_database where datname = 'idscope'")" = 0 ]; then
        super_psql -q -d postgres -c 'create database idscope'
    fi
    PGHOST=$(sockets)/pg PGUSER=postgres "$here/migrate.sh" db:pg:idscope >"$VAR/log/migrate.log" 2>&1 ||
        { tail -n 15 "$VAR/log/migrate.log" >&2; die "migration failed; the end of $VAR/log/migrate.log stands above"; }
}

# ------------------------------------------------------------------------------------------------- first tenant

make_keys() (
    keys=$VAR/keys
    umask 077
    if ! [ -s "$keys/ring" ]; then
        "$BUILD/idscope-admin" new-key-ring > "$keys/ring.new"
        mv "$keys/ring.new" "$keys/ring"
    fi
    if [ -s "$keys/client.env" ]; then exit 0; fi
    "$BUILD/idscope-admin" bootstrap --tenant-name=development --subscription-name=development \
        --database-url="$(database_url idscope_admin)" --key-ring-file="$keys/ring" > "$keys/client.env.new"
    [ -s "$keys/client.env.new" ] ||
        die "the database has its first tenant, but $keys/client.env is gone: make stop clean-var starts anew"
    mv "$keys/client.env.new" "$keys/client.env"
)

# ------------------------------------------------------------------------------------------------- api and worker

# run_program NAME COMMAND…: starts it unless it runs already. Of the caller's environment it gets only what sanitizers and
# kill points read.
run_program() {
    local name=$1 program=$2 variable
    shift
    if am_root; then set -- "$@" "--run-as=$PROGRAM_USER"; fi
    if fresh "$name" "$program" "$@"; then return 0; fi
    stop_part "$name"
    PREFIX=(/usr/bin/env -i "PATH=$PATH" HOME=/ TZ=UTC LANG=C.UTF-8)
    for variable in {A,UB,L,T}SAN_OPTIONS IDSCOPE_KILL_{POINT,LOG,ONE_IN,SIGNAL,AIM}; do
        if [ -n "${!variable:-}" ]; then PREFIX+=("$variable=${!variable}"); fi
    done
    (umask 007 && launch "$name" "$@") # the edge's group may connect to the api's socket
    PREFIX=()
}

healthy() { curl -fsS -m 2 -o /dev/null "http://$(cat "$VAR/run/$1.health")/readyz"; }

start_api() {
    local name=$1 uid=-1 command
    if am_root; then uid=$(id -u haproxy); fi
    command=("$BUILD/idscope-api" --database-url="$(database_url idscope_api)" --key-ring-file="$VAR/keys/ring"
        --domain="$DOMAIN" --edge-listen="unix:$(sockets)/edge/$name.sock" --edge-uid="$uid"
        --health-listen="$(health_address "$name")" --undelete-days="$UNDELETE_DAYS")
    if [ -n "$PLAIN_PORT" ]; then command+=(--plain-listen="127.0.0.1:$((PLAIN_PORT + ${name#api} - 1))"); fi
    # shellcheck disable=SC2086 # a list
    run_program "$name" "${command[@]}" $API_ARGS
}

start_worker() {
    local name=$1
    # shellcheck disable=SC2086 # a list
    run_program "$name" "$BUILD/idscope-worker" --database-url="$(database_url idscope_worker)" \
        --key-ring-file="$VAR/keys/ring" --domain="$DOMAIN" --edge-address="$(edge_host):$EDGE_PORT" \
        --ca-file="$VAR/tls/ca.pem" --health-listen="$(health_address "$name")" $WORKER_ARGS
}

# ------------------------------------------------------------------------------------------------- edge

# May this user listen on EDGE_PORT: it is a high port, or we have the capability (bit 10)?
may_bind() {
    local first capabilities
    first=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)
    capabilities=$(sed -n 's/^CapEff:\t//p' /proc/self/status 2>/dev/null || true)
    [ "$EDGE_PORT" -ge "$first" ] || am_root || (( 16#${capabilities:-0} >> 10 & 1 ))
}

# The address at which this machine reaches the edge.
edge_host() {
    case $EDGE_ADDRESS in
        '' | 0.0.0.0) echo 127.0.0.1 ;;
        *) echo "$EDGE_ADDRESS" ;;
    esac
}

# Nobody listens at port 1: a machine with IPv6 says so, another one says that there is no such address.
has_ipv6_loopback() {
    local said
    said=$({ exec 3<>/dev/tcp/::1/1; } 2>&1) || true
    case $said in '' | *refused*) return 0 ;; *) return 1 ;; esac
}

# Loopback of both families ("localhost" is ::1 first for some clients), where the machine has them.
edge_binds() {
    if [ -n "$EDGE_ADDRESS" ]; then
        printf '%s:%s' "$EDGE_ADDRESS" "$EDGE_PORT"
    elif has_ipv6_loopback; then
        printf 'ipv4@127.0.0.1:%s,ipv6@::1:%s' "$EDGE_PORT" "$EDGE_PORT"
    else
        printf 'ipv4@127.0.0.1:%s' "$EDGE_PORT"
    fi
}

edge_environment() {
    local dir name i=0
    dir=$(sockets)
    printf 'IDSCOPE_EDGE_BIND=%s\n' "$(edge_binds)"
    printf 'IDSCOPE_EDGE_TLS=%s\nIDSCOPE_EDGE_TLS_PROFILE=%s\n' "$VAR/tls" "$TLS_PROFILE"
    printf 'OPENSSL_CONF=%s\n' "$ROOT/docker/edge/openssl.cnf"
    printf 'IDSCOPE_EDGE_ADMIN=%s\n' "$dir/edge/admin.sock"
    printf 'IDSCOPE_EDGE_PER_ADDRESS=%s\n' "${EDGE_PER_ADDRESS:-6000}"
    printf 'IDSCOPE_EDGE_RATE_PER_ADDRESS=%s\n' "${EDGE_RATE_PER_ADDRESS:-100000}"
    for name in $(numbered api "$API_COUNT"); do
        i=$((i + 1))
        printf 'IDSCOPE_API_%s=unix@%s\n' "$i" "$dir/edge/$name.sock$EDGE_VIA"
        printf 'IDSCOPE_API_%s_HEALTH=%s\n' "$i" "$(health_address "$name" | cut -d : -f 2)"
    done
    if am_root; then
        printf 'IDSCOPE_EDGE_USER=haproxy\nIDSCOPE_EDGE_GROUP=haproxy\n'
    elif ! may_bind; then
        printf 'IDSCOPE_EDGE_USER=%s\nIDSCOPE_EDGE_GROUP=%s\n' "$(id -un)" "$(id -gn)"
    fi
}

# As an ordinary user below port 1024: with sudo for this one process, if sudo works, else say what would help.
edge_prefix() {
    PREFIX=()
    if may_bind; then return 0; fi
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
        PREFIX=(sudo -n)
        return 0
    fi
    die "port $EDGE_PORT is not open to ordinary users; this one command changes that until the next boot:
    sudo sysctl -w net.ipv4.ip_unprivileged_port_start=$EDGE_PORT"
}

start_edge() {
    local environment command haproxy reload=()
    haproxy=$(PATH=$PATH:/usr/sbin:/sbin command -v haproxy) || die "haproxy is not installed: make deps"
    mapfile -t environment <<<"$(edge_environment)"
    command=(/usr/bin/env -i "${environment[@]}" "$haproxy" -q -db -f "$ROOT/docker/edge/haproxy.cfg")
    if fresh edge "$VAR/tls/names" "${command[@]}" && [ -z "$(find "$ROOT/docker/edge" -type f -newer "$VAR/run/edge.pid")" ]; then
        return 0
    fi
    env -i "${environment[@]}" "$haproxy" -c -f "$ROOT/docker/edge/haproxy.cfg" >"$VAR/log/edge.check" 2>&1 ||
        { cat "$VAR/log/edge.check" >&2; die "the edge does not take its configuration; what it says stands above"; }
    edge_prefix
    if running edge && [ "$(cat "$VAR/run/edge.command")" = "${command[*]}" ]; then
        # Same sockets, new files: the new process takes the listeners over and the old one ends with its last client.
        reload=(-x "$(sockets)/edge/admin.sock" -sf "$(part_pid edge)")
    else
        stop_part edge
        check_ports edge
    fi
    launch edge "${command[@]}" "${reload[@]}"
    PREFIX=()
    printf '%s\n' "${command[*]}" > "$VAR/run/edge.command"
}

edge_answers() {
    curl -fsS -m 5 -o /dev/null --noproxy '*' --cacert "$VAR/tls/ca.pem" --connect-to "::$(edge_host):$EDGE_PORT" \
        "https://localhost:$EDGE_PORT/metadata/endpoints?api-version=2015-01-01"
}

# ------------------------------------------------------------------------------------------------- verbs

# The processes that a PART stands for.
names_of() {
    case $1 in
        api) numbered api "$API_COUNT" ;;
        worker) numbered worker "$WORKER_COUNT" ;;
        postgres | edge | api[1-4] | worker[1-9]) echo "$1" ;;
        *) die "no such part: $1 (postgres, api, worker, edge)" ;;
    esac
}

begin_part() {
    case $1 in
        api*) start_api "$1" ;;
        worker*) start_worker "$1" ;;
        *) "start_$1" ;;
    esac
}

await_part() {
    case $1 in
        postgres) wait_ready "$1" accepts_connections ;;
        edge) wait_ready "$1" edge_answers ;;
        *) wait_ready "$1" healthy "$1" ;;
    esac
}

signal_of() { if [ "$1" = postgres ]; then echo INT; else echo TERM; fi; }

# each FUNCTION PART…: FUNCTION with each process of each part
each() {
    local function=$1 part name
    shift
    for part in "$@"; do
        for name in $(names_of "$part"); do "$function" "$name"; done
    done
}
start_one() {
    begin_part "$1"
    await_part "$1"
}
stop_one() { stop_part "$1" "$(signal_of "$1")"; }

# Processes of an earlier start with more replicas.
stop_surplus() {
    local file name
    for file in "$VAR"/run/{api,worker}*.pid; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .pid)
        if ! names_of "${name%%[0-9]*}" | grep -qx "$name"; then stop_one "$name"; fi
    done
}

# Where clients reach the management plane: localhost, unless the edge listens on some other address only.
management_host() { if [ "$(edge_host)" = 127.0.0.1 ]; then echo localhost; else edge_host; fi; }

dev_env() {
    printf 'IDSCOPE_URL=https://%s:%s\nIDSCOPE_PORT=%s\n' "$(management_host)" "$EDGE_PORT" "$EDGE_PORT"
    printf 'IDSCOPE_CA=%q\nIDSCOPE_DOMAIN=%s\nIDSCOPE_DEVICE_HOST=%s\n' "$VAR/tls/ca.pem" "$DOMAIN" "$DEVICE_HOST"
    grep -E '^IDSCOPE_(TENANT_ID|SUBSCRIPTION_ID|CLIENT_ID|CLIENT_SECRET)=' "$VAR/keys/client.env"
}

stack_env() {
    printf 'STACK_DATABASE_URL=%s\nSTACK_PGHOST=%s/pg\n' "$(database_url postgres)" "$(sockets)"
    printf 'STACK_EDGE_PORT=%s\nSTACK_PLAIN_PORT=%s\n' "$EDGE_PORT" "$PLAIN_PORT"
    printf 'STACK_API_HEALTH=%s\nSTACK_WORKER_HEALTH=%s\n' "$(cat "$VAR/run/api1.health")" "$(cat "$VAR/run/worker1.health")"
}

write_private() { (umask 077 && cat > "$VAR/$1.new" && mv "$VAR/$1.new" "$VAR/$1"); }

# Whoever of this stack is there, in the order in which it is stopped.
processes() {
    local file name
    for file in "$VAR"/run/{edge,worker*,api*,postgres}.pid; do
        name=$(basename "$file" .pid)
        if [ -e "$file" ] && running "$name"; then echo "$name:$(part_pid "$name")"; fi
    done
}

# take_back PROCESSES: at the end of a start that failed, stops what is not among them: what it began itself
take_back() {
    local status=$? process
    trap - EXIT
    for process in $(processes); do
        if grep -qx "$process" <<<"$1"; then continue; fi
        say "idscope: ${process%%:*} is stopped again" >&2
        stop_one "${process%%:*}"
    done
    if [ -z "$1" ]; then forget_run; fi
    exit "$status"
}

start() {
    local before
    mkdir -p "$VAR/run" 2>/dev/null || die "this user may not make the folder $VAR/run: choose another one with VAR=…"
    exec 9>"$VAR/run/lock"
    flock 9
    look_ahead
    before=$(processes)
    # shellcheck disable=SC2064 # what runs now
    trap "take_back '$before'" EXIT
    trap 'exit 130' INT TERM HUP
    make_folders
    make_cluster
    start_postgres
    make_schema
    make_keys
    "$here/certs.sh" "$VAR/tls" "$DOMAIN" "$EXTRA_NAMES $(edge_host)" >/dev/null
    stop_surplus
    each begin_part edge api worker
    each await_part api worker edge
    dev_env | write_private dev.env
    stack_env | write_private run/stack.env
    trap - EXIT INT TERM HUP
    report
}

report() {
    say "idscope runs at https://$(management_host):$EDGE_PORT (devices: $DEVICE_HOST). Logs: $VAR/log/"
    say "For clients:  . $VAR/dev.env"
    if ! getent ahosts "$DEVICE_HOST" >/dev/null; then
        say "This machine cannot resolve $DEVICE_HOST. curl resolves *.localhost by itself; for other clients add this"
        say "line to /etc/hosts (and hubs and instances as you make them: make hosts):"
        "$here/hosts.sh"
    fi
}

# What a stack of which nothing runs keeps of its processes.
forget_run() {
    local dir
    dir=$(sockets || true)
    case $dir in /tmp/idscope.??????) if [ -O "$dir" ]; then rm -rf "$dir"; fi ;; esac
    rm -f "$VAR"/run/*.{pid,born,command} "$VAR"/run/{sockets,stack.env}
}

stop() {
    local process
    [ -d "$VAR/run" ] || return 0
    exec 9>"$VAR/run/lock"
    flock 9
    for process in $(processes); do stop_one "${process%%:*}"; done
    forget_run
}

# Takes the data, the keys and the certificates away; the programs must have been stopped.
forget() {
    if running postgres; then die "stop the stack first: make stop"; fi
    case $(readlink "$VAR/pg" || true) in
        /var/lib/idscope/pg.??????) rm -rf "$(readlink "$VAR/pg")" ;;
    esac
    rm -rf "$VAR"/{pg,keys,tls,run,log,dev.env}
    rmdir "$VAR" 2>/dev/null || true
}

status() {
    local name
    for name in postgres $(names_of api) $(names_of worker) edge; do
        if running "$name"; then say "$name runs (pid $(part_pid "$name"))"; else say "$name does not run"; fi
    done
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
    start | stop | forget | status) "$verb" ;;
    start-part) each start_one "$@" ;;
    stop-part) each stop_one "$@" ;;
    restart-part)
        each stop_one "$@"
        each start_one "$@"
        ;;
    kill-part) each kill_part "$@" ;;
    psql) super_psql -d idscope "$@" ;;
    *) die "usage: stack.sh start | stop | status | {start,stop,restart,kill}-part PART… | psql …" ;;
esac
