#!/usr/bin/env bash
# deps.sh: makes sure that everything that the project's verbs need is on this machine. On Debian 12 it installs what is
# missing with apt (as root, or with sudo); elsewhere it lists what is missing and fails. When nothing is missing it
# touches neither network nor disk. It never replaces what is there in another version, and starts no service.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

. "$(dirname "$0")/settings.sh"

# PACKAGE of Debian 12, and a probe: a command, a library of pkg-config (lib:NAME) or a file (file:PATH).
packages='
ca-certificates                           file:/etc/ssl/certs/ca-certificates.crt
gcc                                       gcc
libc6-dev                                 file:/usr/include/stdio.h
make                                      make
pkgconf                                   pkg-config
libpq-dev                                 lib:libpq
libmicrohttpd-dev                         lib:libmicrohttpd
libssl-dev                                lib:openssl
libjwt-dev                                lib:libjwt
libjansson-dev                            lib:jansson
libcurl4-openssl-dev                      lib:libcurl
libc-ares-dev                             lib:libcares
uthash-dev                                file:/usr/include/uthash.h
libcmocka-dev                             lib:cmocka
postgresql-15                             file:/usr/lib/postgresql/15/bin/postgres
postgresql-15-pgtap                       file:/usr/share/postgresql/15/extension/pgtap.control
libtap-parser-sourcehandler-pgtap-perl    pg_prove
sqitch                                    sqitch
libdbd-pg-perl                            perl:DBD::Pg
haproxy                                   haproxy
openssl                                   openssl
curl                                      curl
procps                                    pgrep
iproute2                                  ip
mount                                     mount
nodejs                                    node
npm                                       npm
clang-14                                  clang-14
libclang-rt-14-dev                        file:/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a
llvm-14                                   llvm-cov-14
clang-tidy-14                             clang-tidy-14
clang-format-14                           clang-format-14
cppcheck                                  cppcheck
swtpm                                     swtpm
azure-cli                                 file:/usr/bin/az
python3-azure                             file:/usr/lib/python3/dist-packages/azure/mgmt/iothubprovisioningservices/__init__.py
gcovr                                     gcovr
shellcheck                                shellcheck
'

PATH=$PATH:/usr/sbin:/sbin

present() {
    case $1 in
        lib:*) pkg-config --exists "${1#lib:}" 2>/dev/null ;;
        perl:*) perl "-M${1#perl:}" -e 1 2>/dev/null ;;
        file:*) [ -e "${1#file:}" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing() {
    local package probe
    while read -r package probe; do
        if [ -n "$package" ] && ! present "$probe"; then echo "$package"; fi
    done <<<"$packages"
}

is_debian_12() { grep -q '^ID=debian$' /etc/os-release && grep -q '^VERSION_ID="12"$' /etc/os-release; } 2>/dev/null

# What the packages would set up by themselves, a main cluster and running services, is not wanted: both are prevented
# while apt runs, by files that are gone afterwards.
install_quietly() {
    local policy=/usr/sbin/policy-rc.d no_cluster=/etc/postgresql-common/createcluster.d/idscope-deps.conf
    local apt=(apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod 755 $policy
        # shellcheck disable=SC2064 # the path as it is now
        trap "rm -f $policy $no_cluster" EXIT
    else
        # shellcheck disable=SC2064 # the names as they are now
        trap "rm -f $no_cluster" EXIT
    fi
    mkdir -p "$(dirname $no_cluster)"
    echo 'create_main_cluster = false' > $no_cluster
    export DEBIAN_FRONTEND=noninteractive
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends "$@"
}

install_packages() {
    is_debian_12 || die "this is not Debian 12; please install what these packages of it hold: $*"
    say "Installing: $*"
    if [ "$(id -u)" = 0 ]; then
        install_quietly "$@"
    elif command -v sudo >/dev/null; then
        sudo "$0" --install "$@"
    else
        die "these packages are missing, and there is no sudo; as root: apt-get install --no-install-recommends $*"
    fi
}

# The npm packages of the tests, exactly as their lock file says, without their install scripts.
install_node_modules() {
    local dir=$ROOT/tests/flow
    [ -e "$dir/package-lock.json" ] || return 0
    [ "$dir/package-lock.json" -nt "$dir/node_modules/.package-lock.json" ] || return 0
    say "Installing the npm packages of tests/flow"
    (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    touch "$dir/node_modules/.package-lock.json"
}

if [ "${1:-}" = --install ]; then
    shift
    install_quietly "$@"
    exit 0
fi

mapfile -t wanted <<<"$(missing)"
if [ -n "${wanted[0]}" ]; then
    install_packages "${wanted[@]}"
    still=$(missing | tr '\n' ' ')
    [ -z "$still" ] || die "still missing after the installation: $still"
fi
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || die "Node 18 or newer is needed; this is $(node --version)"
install_node_modules
