#!/bin/sh
# Runs the tests of a build directory and ends with one line of counts. Further arguments go to
# ctest. A test that skips something prints a line "skipped: what and why"; a script that skips
# altogether exits with 77.
set -u
build=$1
shift
log=$build/check.log
start=$(date +%s)
# LLVM's OpenMP, which clang's builds have, keeps a segment named after its process here. A kill leaves
# it behind, and a later process of that number that finds one of no bytes dies of SIGBUS.
for segment in /dev/shm/__KMP_REGISTERED_LIB_*; do
  number=${segment##*LIB_}
  [ -d "/proc/${number%_*}" ] || rm -f "$segment"
done
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-label-summary "$@" >"$log" 2>&1
status=$?
grep -E 'Test +#|tests passed|Failed|Timeout|\*\*\*|^ *[0-9]+ - ' "$log" | grep -v 'Passed ' || true
if [ $status -ne 0 ]; then
  cat "$log"
fi
details=$build/Testing/Temporary/LastTest.log
if grep -hE '^(summary|skipped): ' "$details" 2>/dev/null | sort -u; then :; fi
passed=$(grep -cE 'Test +#.* Passed ' "$log")
failed=$(grep -cE 'Test +#.*(\*\*\*Failed|\*\*\*Timeout|\*\*\*Exception|\*\*\*Not Run)' "$log")
skipped=$(grep -hcE '^skipped: ' "$details" 2>/dev/null || true)
echo "tests took $(($(date +%s) - start)) s"
echo "$passed passed, $failed failed, ${skipped:-0} skipped"
exit $status
