#!/bin/bash
# The EXAMPLES of every manual page run as they stand, each page in a directory of its own.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
pages=$(cd "$(dirname "$OLDPWD/$0")/../.." 2>/dev/null && pwd)/man
[ -d "$pages" ] || pages=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)/man
for page in "$pages"/*.[1-8]; do
  name=$(basename "$page")
  mkdir "$tmp/$name" && cd "$tmp/$name" || exit 1
  awk '/^\.Sh /{inside = ($2 == "EXAMPLES")} inside && /^\.Bd -literal/{copy = 1; next} /^\.Ed/{copy = 0} copy' "$page" |
    sed 's/\\e/\\/g' >script
  [ -s script ] || continue
  # The folder of photographs that a page speaks of.
  for class in cat dog; do
    mkdir -p photos/$class
    { printf 'P6\n8 8\n255\n' && head -c 192 /dev/zero; } >photos/$class/1.ppm
  done
  status 0 bash -eu -o pipefail script
done
cd "$tmp" || exit 1
finish
