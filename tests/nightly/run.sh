#!/bin/bash
# Runs slow proofs one after another and keeps each result in share/results/NAME.txt with its
# command, commit and machine. An item that passed on this commit is passed over, and one that failed
# or was interrupted goes on where it stopped (its state lies in nightly/NAME).
#   tests/nightly/run.sh BUILD [--again] [NAME...]
set -u
cd "$(dirname "$0")/../.." || exit
build=$(readlink -f "$1")
shift
again=
[ "${1:-}" = --again ] && again=1 && shift
commit=$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain --untracked-files=no -- lib tools tests CMakeLists.txt)" ] || commit=$commit+changes
if [ $# -gt 0 ]; then
  items=("$@")
else
  mapfile -t items < <(find tests/nightly -name '*.sh' ! -name run.sh ! -name common.sh -exec basename {} .sh \; | sort)
fi
mkdir -p share/results
passed=0 failed=0 skipped=0
for item in "${items[@]}"; do
  result=share/results/$item.txt
  if [ -z "$again" ] && grep -qx "commit: $commit" "$result" 2>/dev/null; then
    echo "$item: has a result for this commit"
    passed=$((passed + 1))
    continue
  fi
  # What another commit left would be recorded as this one's.
  [ "$(cat "nightly/$item/commit" 2>/dev/null)" = "$commit" ] || rm -rf "nightly/$item"
  mkdir -p "nightly/$item"
  echo "$commit" >"nightly/$item/commit"
  echo "$item: running"
  {
    echo "command: tests/nightly/run.sh build $item"
    echo "commit: $commit"
    echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc --all) CPUs, Debian $(cat /etc/debian_version)"
    echo "date: $(date -u +%Y-%m-%d)"
    echo
  } >"nightly/$item.result"
  bash "tests/nightly/$item.sh" "$PWD" "$build" "$PWD/nightly/$item" >>"nightly/$item.result" 2>"nightly/$item.log"
  case $? in
    0)
      mv "nightly/$item.result" "$result"
      sed -n '6,$p' "$result"
      passed=$((passed + 1))
      ;;
    77)
      tail -n 1 "nightly/$item.result"
      skipped=$((skipped + 1))
      ;;
    *)
      # The figures of a miss are kept as those of a pass are, under a commit that is no pass.
      sed 's/^commit: .*/& (failed)/' "nightly/$item.result" >"$result"
      rm "nightly/$item.result"
      tail -n 12 "$result"
      tail -n 3 "nightly/$item.log"
      echo "$item: failed"
      failed=$((failed + 1))
      ;;
  esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
