#!/usr/bin/env bash
# run.sh: runs demo.js against the local stack, as a client like any other: with the variables of dev.env and nothing else, as a user who
# cannot open the database socket. As root that user is `nobody`, who gets copies of the few files that a client needs, since the clone may
# lie below a folder that he cannot enter; as an ordinary user, whose own database it is, the socket's folder is hidden where the machine allows it.
# Must never hand the demo anything else of the stack.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
VAR=${VAR:-$root/var}
[ -r "$VAR/dev.env" ] || { echo "demo: $VAR/dev.env is not there: make run first" >&2; exit 1; }

client=$(mktemp -d /tmp/idscope-demo.XXXXXX)
trap 'rm -rf "$client"' EXIT
mkdir "$client/demo" "$client/lib"
cp "$root"/tests/demo/demo.js "$client/demo/"
cp "$root"/tests/lib/{https,sas,idscope}.js "$client/lib/"
mapfile -t variables <<<"$(grep -E '^IDSCOPE_[A-Z_]+=' "$VAR/dev.env" | grep -v '^IDSCOPE_CA=')"
# shellcheck disable=SC1091 # written by the stack
cp "$(. "$VAR/dev.env" && printf '%s' "$IDSCOPE_CA")" "$client/ca.pem"
chmod -R a+rX "$client"

run=(env -i "PATH=$PATH" "${variables[@]}" "IDSCOPE_CA=$client/ca.pem" node "$client/demo/demo.js")
if [ "$(id -u)" = 0 ]; then
    cd / && setpriv --reuid=nobody --regid=nogroup --clear-groups -- "${run[@]}"
elif unshare --user --map-root-user --mount true 2>/dev/null; then
    # shellcheck disable=SC2016 # for the inner shell
    unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$(cat "$VAR/run/sockets")" "${run[@]}"
else
    echo "demo: this machine allows no private mounts: the database socket stays reachable for this user" >&2
    "${run[@]}"
fi
