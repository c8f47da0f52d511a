#!/usr/bin/env bash
# Builds the libFuzzer programs of a configured build directory and runs each from its corpus:
#   tools/fuzz.sh BUILD_DIR SECONDS JOBS
# New inputs go into BUILD_DIR/corpus, never into fuzz/corpus; a crash is left in BUILD_DIR/crashes.
set -euo pipefail
build=$1 seconds=$2 jobs=$3
root=$(cd "$(dirname "$0")/.." && pwd)

mapfile -t programs < <(ninja -C "$build" -t targets all | sed -n 's#^bin/\(fuzz_[a-z0-9_]*\):.*#\1#p' | grep -v '^fuzz_replay_' | sort -u)
if [ ${#programs[@]} -eq 0 ]; then
  echo "fuzz: the build has no fuzz targets" >&2
  exit 1
fi
ninja -C "$build" -j "$jobs" "${programs[@]/#/bin/}"
mkdir -p "$build/crashes"
for program in "${programs[@]}"; do
  name=${program#fuzz_}
  echo "== $name, ${seconds} s"
  mkdir -p "$build/corpus/$name"
  # 2 GiB: an input that makes a parser allocate more than its size explains is a finding.
  "$build/bin/$program" -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=10 \
    -print_final_stats=1 -print_funcs=0 -print_pcs=0 -verbosity=0 -artifact_prefix="$build/crashes/$name-" \
    "$build/corpus/$name" "$root/fuzz/corpus/$name"
done
echo "fuzz: ${#programs[@]} targets, no finding"
