#!/usr/bin/env bash
# Proves the promise of the README: on a fresh Debian 12 with git and make, `make demo` and `make test` do
# everything, and `pip install .` gives the Python module. Needs root, for debootstrap and chroot. Steps:
#   1. debootstrap --variant=minbase into a new directory (NEWCOMER_DIR, default build/newcomer);
#   2. copy the host's package sources, resolver and CA bundle into it: how this machine reaches its package
#      indexes, and nothing else of it;
#   3. clone HEAD inside, as a newcomer would, and run each command in a bare environment.
# KEEP=1 leaves the root in place afterwards. Arguments replace the commands: tools/newcomer.sh "make lint".
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
fresh=${NEWCOMER_DIR:-$root/build/newcomer}
suite=bookworm
commands=("$@")
# The third is the README's way to the Python module; imported where no file of the project is on the path.
pip_install='python3 -m venv /root/fresh && /root/fresh/bin/pip install --quiet . &&
  cd / && /root/fresh/bin/python -c "import hf_xet; print(hf_xet.__file__)"'
[ ${#commands[@]} -gt 0 ] || commands=("make demo" "make test" "$pip_install")

fail() {
  echo "newcomer: $*" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || fail "debootstrap and chroot need root; run this as root"
[ ! -e "$fresh" ] || fail "$fresh exists; remove it first, or set NEWCOMER_DIR"

# A mount namespace of our own: whatever is mounted into the root vanishes with this script, also when killed.
if [ -z "${NEWCOMER_INSIDE:-}" ]; then
  NEWCOMER_INSIDE=1 exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi
mount --make-rprivate / 2>/dev/null || true

if [ -n "$(git -C "$root" status --porcelain)" ]; then
  echo "newcomer: note: the tree has uncommitted changes; what is tested is HEAD" >&2
fi

# The first archive that the host itself uses for this suite, whatever form its source lists have.
# shellcheck disable=SC2016  # apt-get expands these
mirror=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' |
  awk -v suite="$suite" '$1 == "Packages" && $2 == suite { print $3; exit }')
[ -n "$mirror" ] || fail "this host's package sources have no $suite; the root must be Debian 12"

remove() {
  # Gone with the namespace anyway; unmounted first so that rm can never reach what is behind a mount.
  umount "$fresh/proc" "$fresh/dev/shm" "$fresh/dev/pts" 2>/dev/null || true
  if [ -n "${KEEP:-}" ]; then
    echo "newcomer: the root is left in $fresh"
  else
    rm -rf --one-file-system "$fresh"
  fi
}
trap remove EXIT

echo "newcomer: making a fresh $suite"
mkdir -p "$fresh"
debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$fresh" "$mirror" >"$fresh.log" 2>&1 ||
  { tail -n 20 "$fresh.log" >&2; fail "debootstrap failed"; }
rm -f "$fresh.log"

copy() { # PATH...: into the same place of the root, when the host has it
  local path
  for path in "$@"; do
    if [ -e "$path" ]; then
      mkdir -p "$fresh$(dirname "$path")"
      cp -aL "$path" "$fresh$path"
    fi
  done
}
rm -f "$fresh/etc/apt/sources.list"
copy /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources
copy /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/keyrings/* /usr/share/keyrings/*
# Of apt's settings only those that say how to reach the sources, not the habits of this machine.
for conf in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
  [ -f "$conf" ] || continue
  settings=$(grep -E '^[[:space:]]*Acquire::([a-z]+::)?(Proxy|Check|Verify|http|https|CAInfo)' "$conf" || true)
  [ -z "$settings" ] || printf '%s\n' "$settings" >>"$fresh/etc/apt/apt.conf.d/90newcomer"
done
copy /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /etc/pip.conf
if [ -f "${HOME:-/root}/.config/pip/pip.conf" ]; then
  mkdir -p "$fresh/root/.config/pip"
  cp -L "${HOME:-/root}/.config/pip/pip.conf" "$fresh/root/.config/pip/pip.conf"
fi
# Index settings in the environment become pip's own configuration, since the commands get a bare environment.
for setting in index-url extra-index-url trusted-host; do
  name=PIP_$(tr 'a-z-' 'A-Z_' <<<"$setting")
  if [ -n "${!name:-}" ]; then
    [ -s "$fresh/etc/pip.conf" ] || echo '[global]' >"$fresh/etc/pip.conf"
    printf '%s = %s\n' "$setting" "${!name}" >>"$fresh/etc/pip.conf"
  fi
done

mount -t proc proc "$fresh/proc"
mount -t tmpfs tmpfs "$fresh/dev/shm" 2>/dev/null || true
mount -t devpts -o ptmxmode=0666 devpts "$fresh/dev/pts" 2>/dev/null || true

git -C "$root" bundle create --quiet "$fresh/root/libxet.bundle" HEAD
in_root() { # COMMAND: as a newcomer's shell would
  chroot "$fresh" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    /bin/sh -c "$1"
}
in_root 'git -c advice.detachedHead=false clone --quiet /root/libxet.bundle /root/libxet'

for command in "${commands[@]}"; do
  echo "newcomer: $command"
  started=$SECONDS
  in_root "cd /root/libxet && $command" || fail "'$command' failed in the fresh root"
  echo "newcomer: '$command' passed in $((SECONDS - started)) s"
done
