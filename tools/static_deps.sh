#!/usr/bin/env bash
# Builds the libraries that the wheel brings along, as position-independent archives: tools/static_deps.sh [PREFIX]
# The default PREFIX is build/static. Quick when they are there already; remove PREFIX to build anew, for example
# after a security update. Sources are Debian's, with its patches, from the archive that this machine's apt uses:
#   curl     HTTP and TLS, by way of HTTP and SOCKS proxies and Unix sockets; nothing else that Debian's can do
#   sqlite3  without extensions that are loaded at run time
# OpenSSL and LZ4 are not built: Debian's own archives are position-independent. Needs no root, and leaves apt's
# settings and lists alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=$(realpath -m "${1:-$root/build/static}")
jobs=${JOBS:-$(nproc)}
stamp=$prefix/recipe

is_current() { cmp -s "$0" "$stamp"; }
is_current && exit 0

mkdir -p "$root/build"
exec 9>"$root/build/static.lock"
flock 9
is_current && exit 0

fail() {
  echo "static_deps: $*" >&2
  exit 1
}
work=$prefix.work
log=$prefix.log
mkdir -p "$(dirname "$prefix")"
rm -rf "$prefix" "$work"
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/keys" "$work/sources"
: >"$log"
on_error() {
  tail -n 20 "$log" >&2
  echo "static_deps: failed; the whole output is in $log" >&2
}
trap on_error ERR

# A configuration of apt with nothing but the sources of the Debian suites that this machine uses. How they are
# reached, through which proxies say, stays as it is configured.
command -v apt-get >/dev/null || fail "the sources come through apt-get, which is not here"
# shellcheck disable=SC2016  # apt-get expands these
apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
  awk '$1 == "Packages" && $2 == "Debian" && $5 == "main" { print "deb-src", $3, $4, $5 }' | sort -u >"$work/apt/sources.list"
[ -s "$work/apt/sources.list" ] ||
  fail "apt knows no Debian archive; run \`apt-get update\` as root, or look at this machine's package sources"
for key in /etc/apt/trusted.gpg.d/* /usr/share/keyrings/debian-archive-keyring.gpg; do
  [ ! -e "$key" ] || ln -sf "$key" "$work/apt/keys/"
done
apt() {
  apt-get -q \
    -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::Etc::TrustedParts="$work/apt/keys" -o Dir::State::Lists="$work/apt/lists" \
    -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}

echo "static_deps: building curl and sqlite3 from Debian's sources, about a minute"
apt update >>"$log" 2>&1
(cd "$work/sources" && apt source --only-source curl sqlite3) >>"$log" 2>&1
sources=("$work/sources"/{curl,sqlite3}-*/)

flags="-O2 -g1 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong"
flags+=" -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$work/="

build_curl() { # SOURCE
  local on=(HTTP_ONLY CURL_USE_OPENSSL ENABLE_THREADED_RESOLVER ENABLE_UNIX_SOCKETS ENABLE_IPV6)
  local off=(
    BUILD_CURL_EXE BUILD_SHARED_LIBS BUILD_TESTING CURL_BROTLI CURL_USE_GSSAPI CURL_USE_LIBPSL CURL_USE_LIBSSH
    CURL_USE_LIBSSH2 CURL_ZLIB CURL_ZSTD ENABLE_MANUAL USE_LIBIDN2 USE_LIBRTMP USE_NGHTTP2
  )
  on+=(CURL_DISABLE_{ALTSVC,COOKIES,CRYPTO_AUTH,DOH,HSTS,LDAP,LDAPS,MIME,NETRC,NTLM,PROGRESS_METER})
  on=("${on[@]/#/-D}")
  off=("${off[@]/#/-D}")
  # Whom to trust is said by src/net, which looks for the system's certificates when it runs.
  cmake -S "$1" -B "$work/curl" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none \
    "${on[@]/%/=ON}" "${off[@]/%/=OFF}"
  cmake --build "$work/curl" -j "$jobs"
  cmake --install "$work/curl"
}

build_sqlite() { # SOURCE
  mkdir "$work/sqlite"
  cd "$work/sqlite"
  "$1/configure" --disable-tcl --disable-readline
  make sqlite3.c sqlite3.h
  # sqlite_cfg.h, by configure, says what the C library has: without it waits are whole seconds, for one.
  # shellcheck disable=SC2086  # one word per flag
  cc $flags -fno-strict-aliasing -D_HAVE_SQLITE_CONFIG_H -DSQLITE_THREADSAFE=1 -DSQLITE_OMIT_LOAD_EXTENSION \
    -DSQLITE_DEFAULT_MEMSTATUS=0 -I. -c sqlite3.c -o sqlite3.o
  ar rcs libsqlite3.a sqlite3.o
  install -D -m 644 -t "$prefix/lib" libsqlite3.a
  install -D -m 644 -t "$prefix/include" sqlite3.h
}

(build_curl "${sources[0]%/}") >>"$log" 2>&1
(build_sqlite "${sources[1]%/}") >>"$log" 2>&1
rm -rf "$work"
cp "$0" "$stamp"
echo "static_deps: $(du -sh "$prefix" | cut -f1) in $prefix"
