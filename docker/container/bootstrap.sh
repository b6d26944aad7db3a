#!/bin/bash
# bootstrap.sh: the first tenant of a deployment, and what its operator needs to sign in: /out/idscope.env and /out/ca.pem,
# readable by the owner of that folder only. Later runs change nothing (but ca.pem, if it is missing).
# Runs as root, to be able to write into a folder of the host and to give the files to that folder's owner.
set -euo pipefail

owner=$(stat -c %u:%g /out)
url=https://management.$DOMAIN:$EDGE_PORT
umask 077

# publish FILE: standard input becomes /out/FILE, whole
publish() {
    cat > "/out/$1.new"
    chown "$owner" "/out/$1.new"
    mv "/out/$1.new" "/out/$1"
}

if ! [ -s /out/ca.pem ]; then publish ca.pem < /secrets/admin/tls/ca.pem; fi
if [ -s /out/idscope.env ]; then exit 0; fi

made=$(idscope-admin bootstrap --tenant-name=default --subscription-name=default)
if [ -z "$made" ]; then
    echo "bootstrap: there is a first tenant, but out/idscope.env is gone, and its secret is stored nowhere." >&2
    echo "bootstrap: make a new one: idscope-admin create-service-principal TENANT_ID NAME owner" >&2
    exit 0
fi
publish idscope.env <<ENV
IDSCOPE_URL=${url%:443}
IDSCOPE_PORT=$EDGE_PORT
IDSCOPE_CA=ca.pem
IDSCOPE_DOMAIN=$DOMAIN
IDSCOPE_DEVICE_HOST=global.dps.$DOMAIN
$made
ENV
