# What the scripts share: Debian's packages, and who runs what. Sourced, not run.

if [ -z "${PGVERSION:-}" ]; then
    case $(. /etc/os-release; echo "${VERSION_ID:-}") in
        12) PGVERSION=15 ;;
        13) PGVERSION=17 ;;
        *) PGVERSION=18 ;;
    esac
fi
PGBIN=/usr/lib/postgresql/$PGVERSION/bin
BUILD_PACKAGES="make gcc libc6-dev postgresql-$PGVERSION postgresql-server-dev-$PGVERSION"
TEST_PACKAGES="perl libipc-run-perl libtap-parser-sourcehandler-pgtap-perl postgresql-$PGVERSION-pgtap
               postgresql-$PGVERSION-plpgsql-check postgresql-$PGVERSION-cron python3-psycopg"
NODE_PACKAGES="nodejs node-pg"
LINT_PACKAGES="clang-format cppcheck"
FUZZ_PACKAGES="clang libclang-rt-dev"

# The same results whatever the caller's locale is.
unset LC_ALL LANGUAGE
export LANG=C.UTF-8

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The server refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# need PACKAGE...: installs those that are missing. A new server package would make and start a cluster "main":
# nobody asked for one here.
need() {
    local package status=0 missing=() no_main=/etc/postgresql-common/createcluster.d/membership.conf
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    as_root apt-get -qq update
    as_root install -D -m 644 /dev/stdin "$no_main" <<< 'create_main_cluster = false'
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" \
        > /dev/null || status=$?
    as_root rm -f "$no_main"
    return $status
}

# copy_tree FOLDER: the sources without what builds and version control keep beside them.
copy_tree() {
    mkdir -p "$1"
    tar -c --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude='./membership--*.sql' . | tar -x -C "$1"
}

# build FOLDER [make's arguments]: builds and installs the extension from there.
build() {
    local folder=$1
    shift
    make -s -j2 -C "$folder" PG_CONFIG="$PGBIN/pg_config" "$@"
    as_root make -s -C "$folder" PG_CONFIG="$PGBIN/pg_config" install
}
