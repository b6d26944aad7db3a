# What the test scripts (*.t) begin with: TAP, a folder `work` for what they write down, cluster.sh; and at their end nothing stays: no session,
# no cluster, no folder. Whether and how a cluster starts is said by each. Must be sourced first.
# shellcheck shell=bash
set -uo pipefail
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/cluster.sh
. "$lib/../../lib/cluster.sh"
# shellcheck source=tests/sql/lib/tap.sh
. "$lib/tap.sh"
work=$(mktemp -d)
end_script() {
    # shellcheck disable=SC2046 # a list of processes
    kill $(jobs -p) 2>/dev/null
    cluster_stop
    rm -rf "$work"
}
trap end_script EXIT
