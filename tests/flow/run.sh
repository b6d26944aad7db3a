#!/usr/bin/env bash
# run.sh [SUITE…]: the flow tests: unmodified client packages against two running deployments.
#
# Responsible for: a place of their own (mount, network and process namespace: loopback only, port 443, an /etc/hosts to write in), one
# deployment from builds with sanitizers ("first") and one release build with its own database, domain and CA ("second": a foreign hub for the
# first, and what the distribution is counted on), a tap between edge and api of each (tap.js), Node's runner, and the verdict on the programs themselves: no sanitizer report in
# any log, every api and worker ended with 0 and with no arena left.
# SUITE: names below tests/flow/suites without ".js"; none: all. FLAVOR: build of the first deployment, asan unless told otherwise.
# Must never touch the machine's own network, hosts file or processes. Works as root, as a user who may make user namespaces, and with sudo.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
own_namespaces=(--mount --net --pid --fork --mount-proc)
# In a chroot "/" is no mount point, so what is mounted cannot be made private in one go. It may then be seen outside; see `outside`.
if [ "$(id -u)" = 0 ] && ! unshare --mount true 2>/dev/null; then own_namespaces+=(--propagation unchanged); fi

# --- outside: find a way in -----------------------------------------------------------------------------------------------------------
outside() {
    local uid gid
    uid=$(id -u) gid=$(id -g)
    if [ "$uid" = 0 ]; then
        local status=0
        unshare "${own_namespaces[@]}" "$0" --inside "$1" as-is "${@:2}" || status=$?
        # What was mounted came through to us.
        if [ /etc/hosts -ef "$1/hosts" ]; then umount /etc/hosts; fi
        if [ /etc/resolv.conf -ef "$1/resolv.conf" ]; then umount /etc/resolv.conf; fi
        return "$status"
    elif unshare --user --map-root-user "${own_namespaces[@]}" true 2>/dev/null; then
        unshare --user --map-root-user "${own_namespaces[@]}" "$0" --inside "$1" "nested:$uid:$gid" "${@:2}"
    elif sudo -n true 2>/dev/null; then
        sudo -n --preserve-env=PATH,FLAVOR,DOOR,DEAR_DOOR,PULL_DEVICES,RETURNING_DEVICES unshare "${own_namespaces[@]}" "$0" --inside "$1" "sudo:$uid:$gid" "${@:2}"
    else
        echo "flow: needs private namespaces: run as root, allow user namespaces, or allow sudo without a password" >&2
        return 1
    fi
}

# --- inside: the network, the names, the process that fetches all others --------------------------------------------------------------
inside() {
    local work=$1 identity=$2 as=()
    ip link set lo up
    printf '127.0.0.1 localhost\n::1 localhost\n' > "$work/hosts"
    [ -e /etc/hosts ] || : > /etc/hosts # a bare chroot has none to mount over
    mount --bind "$work/hosts" /etc/hosts
    # No name server is there, unless a test makes one; names that are not in /etc/hosts do not resolve.
    printf 'nameserver 127.0.0.153\n' > "$work/resolv.conf"
    [ -e /etc/resolv.conf ] || : > /etc/resolv.conf
    mount --bind "$work/resolv.conf" /etc/resolv.conf
    case $identity in
        as-is) ;;
        nested:*) as=(unshare --user --map-user="$(cut -d : -f 2 <<<"$identity")" --map-group="$(cut -d : -f 3 <<<"$identity")") ;;
        sudo:*) as=(setpriv --reuid="$(cut -d : -f 2 <<<"$identity")" --regid="$(cut -d : -f 3 <<<"$identity")" --init-groups --) ;;
    esac
    if [ "$identity" != as-is ]; then echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start; fi
    exec perl "$root/tests/lib/init.pl" "$work/ends" "${as[@]}" "$0" --tests "$work" "${@:3}"
}

# --- the tests ----------------------------------------------------------------------------------------------------------------------
# stack_tool NAME VARIABLE=VALUE…: writes $work/NAME, which is docker/local/stack.sh for that deployment.
stack_tool() {
    local name=$1
    shift
    printf '#!/bin/sh\nexec env VAR=%q' "$work/$name.var" > "$work/$name"
    printf ' %q' "$@" >> "$work/$name"
    printf ' %q "$@"\n' "$root/docker/local/stack.sh" >> "$work/$name"
    chmod +x "$work/$name"
}

# Neither deployment sends anything anywhere but to 127.0.0.0/8. The waits are short, so that a test can see their end.
make_stacks() {
    local flavor=${FLAVOR:-asan} common
    export ASAN_OPTIONS=halt_on_error=1:detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    common="--ca-file=$work/ca.pem --outgoing-allow=127.0.0.0/8"
    stack_tool first FLAVOR="$flavor" EDGE_VIA=.tap EDGE_PORT=443 EDGE_ADDRESS= PLAIN_PORT=8080 DOMAIN=idscope.localhost START_TIMEOUT_S=180 \
        API_ARGS="--quick-return-s=5 --instances-max=40 --links-max=100 --limits=pollsPerTenSeconds=0" \
        WORKER_ARGS="$common --link-check-s=3 --latency-check-s=2 --invalid-grace-s=6 --hub-timeout-ms=4000 --job-connections=2 --audit-retention-days=3650"
    stack_tool second FLAVOR=release UNDELETE_DAYS=7 EDGE_VIA=.tap EDGE_PORT=443 EDGE_ADDRESS=127.0.0.2 PLAIN_PORT=8081 DOMAIN=second.test EXTRA_NAMES=127.0.0.2 \
        API_ARGS="--body-timeout-ms=6000 --limits=pollsPerTenSeconds=300 --token-lifetime-s=7200" \
        WORKER_ARGS="$common --edge-address=127.0.0.2:443"
    "$root/docker/local/certs.sh" "$work/first.var/tls" idscope.localhost "" >/dev/null
    "$root/docker/local/certs.sh" "$work/second.var/tls" second.test 127.0.0.2 >/dev/null
    cat "$work"/{first,second}.var/tls/ca.pem > "$work/ca.pem"
    chmod 644 "$work/ca.pem"
    printf '127.0.0.1 management.idscope.localhost global.dps.idscope.localhost\n127.0.0.2 management.second.test global.dps.second.test\n' \
        >> "$work/hosts"
}

# What the programs left behind: a sanitizer's report, or an end other than the one that was asked for.
verdict() {
    local bad=0 ends
    if grep -lE 'ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: .*Sanitizer' "$work"/*.var/log/*.log; then
        grep -hE -A 25 'ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$work"/*.var/log/*.log | head -n 120
        echo "flow: a sanitizer reported (above)" >&2
        bad=1
    fi
    if grep -h '"event":"stopped"' "$work"/*.var/log/{api,worker}*.log | grep -v '"arenasLeft":0[,}]'; then
        echo "flow: the programs above ended with arenas left (arenasLeft)" >&2
        bad=1
    fi
    ends=$(grep -E '^idscope-(api|worker) ' "$work/ends" || true)
    if grep -vE ' 0$' <<<"$ends"; then
        echo "flow: the programs above did not end with 0 (name, pid, wait status)" >&2
        bad=1
    fi
    printf 'flow: %s ends of api and worker seen, sanitizer build %s\n' "$(grep -c . <<<"$ends" || true)" "${FLAVOR:-asan}"
    return $bad
}

tests() {
    local status=0 taps=() name
    work=$1
    shift
    trap '"$work/first" stop; "$work/second" stop' EXIT
    make_stacks
    for name in first second; do
        node "$here/tap.js" "$work" "$name" &
        taps+=($!)
    done
    "$work/second" start >"$work/second.start" 2>&1 || { cat "$work/second.start"; return 1; }
    "$work/first" start >"$work/first.start" 2>&1 || { cat "$work/first.start"; return 1; }
    cd "$here"
    local node=(node)
    # Node 18 has the global `crypto` that the management packages use, but only when it is asked for.
    case $(node --version) in v18.*) node+=(--experimental-global-webcrypto) ;; esac
    FLOW_WORK=$work FLOW_SUITES="$*" NODE_EXTRA_CA_CERTS=$work/ca.pem "${node[@]}" --test-reporter=spec all.js || status=1
    trap - EXIT
    "$work/first" stop || status=1
    "$work/second" stop || status=1
    kill "${taps[@]}" && wait "${taps[@]}" || status=1
    sleep 0.3 # init.pl looks every 50 ms
    verdict || status=1
    return $status
}

case ${1:-} in
    --inside) inside "${@:2}" ;;
    --tests) tests "${@:2}" ;;
    *)
        work=$(mktemp -d /tmp/flow.XXXXXX)
        chmod 711 "$work"
        status=0
        outside "$work" "$@" || status=$?
        if [ "$status" = 0 ] && [ -z "${KEEP:-}" ]; then rm -rf "$work"; else echo "flow: kept $work" >&2; fi
        exit "$status"
        ;;
esac
