#!/usr/bin/env bash
# hosts.sh: prints the /etc/hosts line with all names of the local stack: the fixed ones, and those of the instances
# and hubs that exist now (when its database runs). It writes to no file.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/settings.sh"
. "$here/parts.sh"

names="$DOMAIN management.$DOMAIN $DEVICE_HOST"
if running postgres; then
    made=$("$here/stack.sh" psql -At -v "d=$DOMAIN" <<<"
        select lower(name) || '.dps.' || :'d' from idscope.instance where deleted_from is null union
        select lower(name) || '.hub.' || :'d' from idscope.hub order by 1")
    names+=" ${made//$'\n'/ }"
fi
address=${EDGE_ADDRESS:-127.0.0.1}
printf '%s %s\n' "${address/0.0.0.0/127.0.0.1}" "${names% }"
