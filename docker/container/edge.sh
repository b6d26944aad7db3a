#!/bin/sh
# edge.sh: starts HAProxy in its container, on port 443 (the port of host names without one) and on the port that it is
# published at. IDSCOPE_EDGE_PORT says which; secrets and certificates are in /secrets/edge. SIGUSR2 reloads it.
set -eu

binds=:443
if [ "$IDSCOPE_EDGE_PORT" != 443 ]; then binds=:443,:$IDSCOPE_EDGE_PORT; fi
IDSCOPE_EDGE_BIND=$binds
IDSCOPE_EDGE_SECRET=$(cat /secrets/edge/edge-secret)
export IDSCOPE_EDGE_BIND IDSCOPE_EDGE_SECRET
exec haproxy -W -db -f /etc/idscope/haproxy.cfg
