# Sourced by scripts that need a throw-away PostgreSQL: one in a folder of its own, on a Unix socket there, on no port,
# with nothing written through to the disk.
#
#     start_postgres FOLDER    sets POSTGRES_URL, of an empty database
#     stop_postgres FOLDER     ends it at once and removes the folder
#     as_postgres COMMAND...   runs a command as the user that PostgreSQL runs as

POSTGRES_BIN=$(scripts/find-postgres) || {
    echo "${0##*/}: no PostgreSQL found; run \`make test\` or \`make lint\`, which install it" >&2
    exit 1
}

as_postgres() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    as_postgres() { (cd / && exec runuser -u postgres -- "$@"); }
fi

start_postgres() {
    local folder=$1
    [ "$(id -u)" != 0 ] || chown postgres "$folder"
    as_postgres "$POSTGRES_BIN/initdb" -D "$folder/data" -U otrace -E UTF8 --locale=C --auth=trust --no-sync >/dev/null
    as_postgres "$POSTGRES_BIN/pg_ctl" start --silent --wait -D "$folder/data" -l "$folder/data/log" \
        -o "-k '$folder' -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off" </dev/null
    as_postgres "$POSTGRES_BIN/createdb" -h "$folder" -U otrace otrace
    POSTGRES_URL="postgres:///otrace?host=$folder&user=otrace"
}

stop_postgres() {
    local folder=$1
    if [ -f "$folder/data/postmaster.pid" ]; then
        as_postgres "$POSTGRES_BIN/pg_ctl" stop --silent --mode=immediate -D "$folder/data" || true
    fi
    rm -rf "$folder"
}
