#!/usr/bin/env bash
# Makes .venv when it is not there, and installs one list of packages into it: tools/venv.sh [lint|test]
# The lists are tools/requirements-NAME.txt. Quick when the list is installed already. pip finds its index as it
# is configured on the machine. Several of these may run at once: the tests of two builds do.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
requirements=/dev/null
stamp=$venv/installed-nothing
if [ $# -gt 0 ]; then
  requirements=$root/tools/requirements-$1.txt
  stamp=$venv/installed-$1
fi

is_current() { [ -x "$venv/bin/python" ] && cmp -s "$requirements" "$stamp"; }

is_current && exit 0
mkdir -p "$root/build"
exec 9>"$root/build/venv.lock"
flock 9
is_current && exit 0
if ! [ -x "$venv/bin/pip" ]; then
  "${PYTHON:-python3}" -m venv --clear "$venv"
fi
if [ $# -gt 0 ]; then
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
fi
cat "$requirements" >"$stamp"
