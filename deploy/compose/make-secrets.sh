#!/bin/sh
# Makes the passwords and keys of docker-compose.yml into the volume `secrets`, each readable by the one who needs it. What is there
# stays: a password that changed would fit the database no more.
set -eu
umask 277
cd "${1:-/run/trace}"

# PostgreSQL's user and the server's, in their images. The store reads its key as root, before it becomes another.
postgres=999 server=10001 store=0

# 256 bits, as 64 hexadecimal digits: no character of them means anything in a URL.
make_password() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# keep FILE USER, from standard input. A file gets its name when it is whole, and somebody else's can't be written to.
keep() {
    rm -f "$1.new"
    cat >"$1.new"
    chown "$2" "$1.new"
    mv "$1.new" "$1"
}

# The last file to be made says that all are.
if [ ! -e database-url ]; then
    password=$(make_password)
    key=$(make_password)
    make_password | keep postgres-password "$postgres"
    printf '%s' "$password" | keep database-password "$postgres"
    printf '%s' "$key" | keep s3-store-key "$store"
    printf '%s' "$key" | keep s3-key "$server"
    printf 'postgres://otrace:%s@postgres:5432/otrace' "$password" | keep database-url "$server"
    echo "made the passwords and keys"
fi
