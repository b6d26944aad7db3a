#!/bin/sh
# edge.sh: starts HAProxy in its container, on port 443 (the port of host names without one) and on the port that it is
# published at. IDSCOPE_EDGE_PORT says which; secrets and certificates are in /secrets/edge. SIGUSR2 reloads it.
set -eu

binds=:443
if [ "$IDSCOPE_EDGE_PORT" != 443 ]; then binds=:443,:$IDSCOPE_EDGE_PORT; fi
IDSCOPE_EDGE_BIND=$binds
IDSCOPE_EDGE_SECRET=$(cat /secrets/edge/edge-secret)
OPENSSL_CONF=/etc/idscope/openssl.cnf
export IDSCOPE_EDGE_BIND IDSCOPE_EDGE_SECRET OPENSSL_CONF
# Its log alone (descriptor 3) is what this container says, unless it does not take its configuration.
said=$(haproxy -c -f /etc/idscope/haproxy.cfg 2>&1) || { echo "$said" >&2; exit 78; }
exec haproxy -q -W -db -f /etc/idscope/haproxy.cfg 3>&2
