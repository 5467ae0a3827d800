# A PostgreSQL of one's own: a copy of Debian's installation, so that a library built to be tested never reaches
# the system's. PostgreSQL finds its files relative to where it was started from. Sourced after debian.sh, not run.

# private_begin: makes $work, with an untouched copy of the sources in $work/tree. All goes at the end, and stays
# after a failure.
private_begin() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/membership-private.XXXXXX")
    chmod 755 "$work"
    trap private_end EXIT
    copy_tree "$work/tree"
}

private_end() {
    local status=$? postmaster
    for postmaster in "$work"/*/data/postmaster.pid; do
        [ ! -e "$postmaster" ] || as_server "$PGBIN/pg_ctl" -s -D "${postmaster%/*}" -m immediate stop || true
    done
    if [ $status = 0 ]; then rm -rf "$work"; else echo "see $work"; fi
}

# private_install NAME: an installation $work/NAME, and its environment for this shell and what it starts.
private_install() {
    root=$work/$1
    mkdir -p "$root/usr/lib/postgresql" "$root/usr/share/postgresql" "$root/socket"
    cp -a "/usr/lib/postgresql/$PGVERSION" "$root/usr/lib/postgresql/"
    cp -a "/usr/share/postgresql/$PGVERSION" "$root/usr/share/postgresql/"
    [ "$(id -u)" != 0 ] || chown postgres: "$root" "$root/socket"
    export PATH="$root$PGBIN:/usr/sbin:/usr/bin:/bin" PGHOST="$root/socket" PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

# private_build FOLDER [make's arguments]: builds the extension there and installs it into the private installation.
private_build() {
    local folder=$1
    shift
    make -s -C "$folder" PG_CONFIG="$PGBIN/pg_config" with_llvm=no "$@" > /dev/null &&
        make -s -C "$folder" PG_CONFIG="$PGBIN/pg_config" with_llvm=no "$@" DESTDIR="$root" install > /dev/null
}

# private_start [NAME=VALUE...]: a cluster in that installation, running, with these in the server's environment.
private_start() {
    as_server env "PATH=$PATH" initdb -N -A trust -U postgres --locale="$LANG" -D "$root/data" > "$root/initdb.log"
    cat >> "$root/data/postgresql.conf" << CONF
fsync = off
listen_addresses = ''
unix_socket_directories = '$root/socket'
timezone = UTC
log_line_prefix = '%p '
CONF
    as_server env "PATH=$PATH" "$@" pg_ctl -s -w -t 300 -D "$root/data" -l "$root/data/log" start
}

# judge NAME COMMAND...: runs it and says whether it succeeded; counts in $failed those that did not.
failed=0
judge() {
    local log="$work/${1// /_}.log"
    if "${@:2}" > "$log" 2>&1; then
        echo "ok - $1"
    else
        echo "not ok - $1, see $log"
        failed=$((failed + 1))
    fi
}
