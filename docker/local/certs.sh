#!/usr/bin/env bash
# certs.sh: makes the private CA and the server certificates of a stack.
#   certs.sh FOLDER DOMAIN [EXTRA_NAMES]     EXTRA_NAMES: host names or addresses, separated by blanks or commas
# The CA is made once and kept. The server certificates (EC and RSA side by side) are made again when the names differ
# from those they were made for, or when they end within 30 days. Never replaces a CA, never touches other folders.
# Prints "made" when the server certificates are new. The local stack and the containers both use this file.
set -euo pipefail

dir=$1 domain=$2 extra=${3:-}
mkdir -p "$dir"
cd "$dir"
umask 077

# The subjectAltName of the server certificates.
san_of() {
    local san name
    san="DNS:localhost,DNS:$domain,DNS:*.$domain,DNS:*.dps.$domain,DNS:*.hub.$domain,IP:127.0.0.1"
    for name in ${extra//,/ }; do
        if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then name=IP:$name; else name=DNS:$name; fi
        if [[ ,$san, != *,"$name",* ]]; then san+=",$name"; fi
    done
    printf '%s' "$san"
}

# An X.509 certificate lives by this file only: the system's openssl.cnf is not read.
config() {
    printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=%s\n' "$1"
    printf '[ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n'
    printf 'subjectKeyIdentifier=hash\n[server]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n'
    printf 'keyUsage=critical,digitalSignature,keyEncipherment\nsubjectAltName=%s\n' "$2"
    printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
}

make_ca() {
    config "idscope private CA $(openssl rand -hex 4)" DNS:unused > ca.cnf
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key.new
    openssl req -config ca.cnf -extensions ca -x509 -new -key ca.key.new -days 3650 -sha256 -out ca.pem.new
    chmod 644 ca.pem.new
    mv ca.key.new ca.key
    mv ca.pem.new ca.pem
    rm -f ca.cnf names
}

# make_server KIND GENPKEY_OPTIONS…: key and certificate in server.pem.KIND, a pair that HAProxy reads as one bundle
make_server() {
    local kind=$1
    shift
    openssl genpkey -quiet "$@" -out key.new
    openssl req -config server.cnf -new -key key.new -out csr.new
    openssl x509 -req -in csr.new -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days 825 -sha256 \
        -extfile server.cnf -extensions server -out crt.new 2>/dev/null
    cat crt.new key.new > "server.pem.$kind.new"
    mv "server.pem.$kind.new" "server.pem.$kind"
    rm -f key.new csr.new crt.new
}

fresh() {
    [ -s server.pem.ecdsa ] && [ -s server.pem.rsa ] && [ "$(cat names 2>/dev/null || true)" = "$1" ] &&
        openssl x509 -in server.pem.rsa -noout -checkend $((30 * 86400)) >/dev/null
}

if ! [ -s ca.key ] || ! [ -s ca.pem ]; then make_ca; fi
# What the edge shows in each TLS profile. A browser would ask its user for a certificate if management.D did.
for profile in modern:server.pem compatible:server.pem.rsa; do
    printf '%s\n%s [verify none] management.%s\n' "${profile#*:}" "${profile#*:}" "$domain" > "${profile%%:*}.crtlist"
done

san=$(san_of)
if ! fresh "$san"; then
    config "$domain" "$san" > server.cnf
    make_server ecdsa -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    make_server rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
    rm -f server.cnf
    printf '%s' "$san" > names
    echo made
fi
