#!/usr/bin/env bash
# Installs the Debian packages that a job needs: tools/setup.sh SET...
#   build     compile, and run the tests        lint       format, clang-tidy, shellcheck
#   fuzz      libFuzzer targets                 newcomer   a fresh Debian root
#   interop   the genuine Xet programs          bench      what peers are measured with
#   wheel     Debian's sources, for the wheel
# Idempotent, and quick when nothing is missing. SETUP=skip does nothing. Where apt is not to be had, it lists
# what is missing and fails.
set -euo pipefail

# Package, and how to see that it is there on a system without dpkg: a command, a header or a file.
packages_of() {
  case "$1" in
    build)
      cat <<'LIST'
cmake command:cmake
ninja-build command:ninja
g++ command:g++
ccache command:ccache
pkg-config command:pkg-config
git command:git
libssl-dev header:openssl/evp.h
libboost1.81-dev header:boost/beast/version.hpp
libcurl4-openssl-dev header:curl/curl.h
liblz4-dev header:lz4frame.h
libsqlite3-dev header:sqlite3.h
libfmt-dev header:fmt/format.h
libcli11-dev header:CLI/CLI.hpp
libexpected-dev header:tl/expected.hpp
nlohmann-json3-dev header:nlohmann/json.hpp
libgtest-dev header:gtest/gtest.h
libgmock-dev header:gmock/gmock.h
libbenchmark-dev header:benchmark/benchmark.h
librust-blake3-dev file:/usr/share/cargo/registry/blake3-*/c/blake3.h
python3 command:python3
python3-dev header:python3*/Python.h
python3-venv module:ensurepip
ca-certificates file:/etc/ssl/certs/ca-certificates.crt
LIST
      ;;
    lint)
      cat <<'LIST'
clang-format-19 command:clang-format-19
clang-tidy-19 command:clang-tidy-19
clang-19 command:clang++-19
shellcheck command:shellcheck
LIST
      ;;
    fuzz)
      cat <<'LIST'
clang-19 command:clang++-19
libclang-rt-19-dev file:/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.fuzzer-*.a
LIST
      ;;
    interop)
      cat <<'LIST'
curl command:curl
wget command:wget
git-lfs command:git-lfs
LIST
      # Debian 12's own cargo is too old for the peers; cargo-web follows current Rust in the security and updates
      # suites. It conflicts with other Rust installations, so one that is there is used.
      command -v cargo >/dev/null && return
      cat <<'LIST'
cargo-web command:cargo
rustc-web command:rustc
LIST
      ;;
    bench)
      cat <<'LIST'
nginx file:/usr/sbin/nginx
wrk command:wrk
LIST
      ;;
    wheel)
      cat <<'LIST'
dpkg-dev command:dpkg-source
make command:make
tcl command:tclsh
LIST
      ;;
    newcomer)
      cat <<'LIST'
debootstrap command:debootstrap
git command:git
LIST
      ;;
    *)
      echo "setup: there is no set '$1' (build, lint, fuzz, interop, bench, wheel, newcomer)" >&2
      exit 2
      ;;
  esac
}

is_there() { # PROBE
  local what=${1#*:}
  case "$1" in
    command:*) command -v "$what" >/dev/null ;;
    header:*) compgen -G "/usr/include/$what" >/dev/null || compgen -G "/usr/include/*/$what" >/dev/null ||
      compgen -G "/usr/local/include/$what" >/dev/null ;;
    file:*) compgen -G "$what" >/dev/null ;;
    module:*) python3 -c "import $what" 2>/dev/null ;;
  esac
}

[ "${SETUP:-run}" = skip ] && exit 0
wanted=$(for set in "${@:-build}"; do packages_of "$set"; done)
[ -n "$wanted" ] || exit 0

missing=()
if command -v dpkg-query >/dev/null; then
  names=$(awk '{print $1}' <<<"$wanted" | sort -u)
  # shellcheck disable=SC2086  # one word per package
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $names 2>/dev/null | sed -n 's/^installed //p' | sort -u || true)
  mapfile -t missing < <(comm -23 <(echo "$names") <(echo "$installed"))
else
  while read -r name probe; do
    is_there "$probe" || missing+=("$name")
  done <<<"$wanted"
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  printf 'setup: this system has no apt; please install what these Debian packages hold, then use SETUP=skip:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    printf 'setup: packages are missing, and neither root nor sudo is to be had. As root, run:\n' >&2
    printf '  apt-get update && apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
  # nginx comes as a program for a measurement, not as a service of this machine.
  trap 'rm -f "$log"; "${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$policy"
fi
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "setup: apt could not install ${missing[*]} (its last lines are above)" >&2
  exit 1
fi
