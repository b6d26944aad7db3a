#!/usr/bin/env bash
# smoke.sh: lives through the story against a deployment, with curl and openssl and nothing but its out/ folder: signs in, makes
# a group, a hub and an instance, links them, enrolls a device, registers it as a device does, finds it in the hub's registry,
# and deletes everything. Prints one line per step; exit code 0 only if all of it worked.
#   smoke.sh [FOLDER]     folder with idscope.env and ca.pem (default: out/ beside this file)
# All names are reached through management.DOMAIN, or EDGE_HOST where that does not resolve (on the host: EDGE_HOST=127.0.0.1).
# From a container on the deployment's network, whose only way in is the edge:
#   docker run --rm --network docker_default -v "$PWD/out:/out:ro" -v "$PWD/smoke.sh:/smoke.sh:ro" -u 0 idscope-admin bash /smoke.sh /out
set -euo pipefail

out=$(cd "${1:-$(dirname "$0")/out}" && pwd)
# shellcheck source=/dev/null
. "$out/idscope.env"
edge=management.$IDSCOPE_DOMAIN
run=$(openssl rand -hex 4)
api='api-version=2023-06-30'

say() { printf '%s\n' "$*"; }
die() {
    printf 'smoke: %s\n' "$*" >&2
    exit 1
}

# call METHOD URL [CURL-OPTION…]: prints the answer's body; anything but 2xx is an end, with the answer in view
call() {
    local method=$1 url=$2 answer
    shift 2
    answer=$(curl -sS -m 20 --cacert "$out/ca.pem" --connect-to "::${EDGE_HOST:-$edge}:$IDSCOPE_PORT" -X "$method" -H 'Content-Type: application/json' \
        -w '\n%{http_code}' "$url" "$@") || die "$method $url: curl failed"
    case ${answer##*$'\n'} in
        2??) printf '%s' "${answer%$'\n'*}" ;;
        *) die "$method $url: $answer" ;;
    esac
}

# text MEMBER: the first text member of that name in the JSON of standard input
text() { sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' | head -n 1; }
# one MEMBER a line, so that `text` finds the first and not the last
lines() { tr ',{}' '\n'; }

escape() { sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g'; }

# sas RESOURCE KEY [POLICY]: a token for RESOURCE (already escaped), good for ten minutes
sas() {
    local until hex signature
    until=$(($(date +%s) + 600))
    hex=$(printf '%s' "$2" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    signature=$(printf '%s\n%s' "$1" "$until" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | openssl base64 -A | escape)
    printf 'Authorization: SharedAccessSignature sr=%s&sig=%s&se=%s&skn=%s' "$1" "$signature" "$until" "${3:-}"
}

manage() {
    local method=$1 path=$2
    shift 2
    call "$method" "https://$edge/subscriptions/$IDSCOPE_SUBSCRIPTION_ID$path?$api" -H "Authorization: Bearer $token" "$@"
}

# await WHAT COMMAND…: until COMMAND succeeds, at most 60 seconds
await() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || die "waited 60 s in vain for $what"
        sleep 1
    done
}

token=$(call POST "https://$edge/adfs/oauth2/token" -H 'Content-Type: application/x-www-form-urlencoded' \
    -d grant_type=client_credentials -d "client_id=$IDSCOPE_CLIENT_ID" --data-urlencode "client_secret=$IDSCOPE_CLIENT_SECRET" \
    --data-urlencode "resource=https://$edge" | lines | text access_token)
[ -n "$token" ] || die "no access token"
say "signed in"

group=/resourcegroups/smoke-$run
devices=$group/providers/Microsoft.Devices
manage PUT "$group" -d '{"location":"local"}' >/dev/null
trap 'manage DELETE "$group" >/dev/null || true' EXIT
say "resource group smoke-$run"

hub=hub-$run
manage PUT "$devices/IotHubs/$hub" -d '{"location":"local","sku":{"name":"S1","capacity":1},"properties":{}}' >/dev/null
hub_ready() { manage GET "$devices/IotHubs/$hub" | grep -q '"state" *: *"Active"'; }
await "the hub" hub_ready
hub_key=$(manage POST "$devices/IotHubs/$hub/IotHubKeys/iothubowner/listkeys" -d '' | lines | text primaryKey)
hub_host=$hub.hub.$IDSCOPE_DOMAIN
say "hub $hub_host"

instance=dps-$run
manage PUT "$devices/provisioningServices/$instance" -d '{"location":"local","sku":{"name":"S1","capacity":1},"properties":{
    "allocationPolicy":"Hashed","iotHubs":[{"location":"local",
    "connectionString":"HostName='"$hub_host;SharedAccessKeyName=iothubowner;SharedAccessKey=$hub_key"'"}]}}' >/dev/null
instance_ready() { manage GET "$devices/provisioningServices/$instance" | grep -q '"state" *: *"Active"'; }
await "the instance" instance_ready
answer=$(manage GET "$devices/provisioningServices/$instance" | lines)
id_scope=$(text idScope <<<"$answer")
service_host=$(text serviceOperationsHostName <<<"$answer")
device_host=$(text deviceProvisioningHostName <<<"$answer")
service_key=$(manage POST "$devices/provisioningServices/$instance/keys/provisioningserviceowner/listkeys" -d '' | lines | text primaryKey)
for value in "$id_scope" "$service_host" "$device_host" "$service_key"; do
    [ -n "$value" ] || die "the instance lacks something: $answer"
done
say "instance $service_host, ID scope $id_scope"

device=device-$run
service=$(sas "$service_host" "$service_key" provisioningserviceowner)
key=$(call PUT "https://$service_host/enrollments/$device?$api" -H "$service" -d '{"registrationId":"'"$device"'",
    "attestation":{"type":"symmetricKey","symmetricKey":{}}}' | lines | text primaryKey)
[ -n "$key" ] || die "the enrollment has no key"
say "enrolled $device"

device_token=$(sas "$id_scope%2Fregistrations%2F$device" "$key" registration)
operation=$(call PUT "https://$device_host/$id_scope/registrations/$device/register?api-version=2021-06-01" -H "$device_token" \
    -d '{"registrationId":"'"$device"'"}' | lines | text operationId)
assigned() {
    answer=$(call GET "https://$device_host/$id_scope/registrations/$device/operations/$operation?api-version=2021-06-01" -H "$device_token")
    case $(lines <<<"$answer" | text status) in
        assigning) return 1 ;;
        assigned) return 0 ;;
        *) die "the registration ended otherwise: $answer" ;;
    esac
}
await "the assignment" assigned
[ "$(lines <<<"$answer" | text assignedHub)" = "$hub_host" ] || die "assigned elsewhere: $answer"
say "registered: $device is assigned to $hub_host"

call GET "https://$hub_host/devices/$device?api-version=2021-04-12" -H "$(sas "$hub_host" "$hub_key" iothubowner)" |
    grep -q "\"deviceId\" *: *\"$device\"" || die "the hub does not know the device"
say "found in the hub's registry"

trap - EXIT
manage DELETE "$devices/provisioningServices/$instance" >/dev/null
manage DELETE "$group" >/dev/null
say "everything deleted"
