#!/bin/bash
# Layout (clang-format) and static analysis (clang-tidy); prints what is wrong and counts.
set -eu
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files '*.cc' '*.h')
clang-format-14 --dry-run --Werror "${files[@]}"
cmake --preset release >/dev/null
mapfile -t sources < <(git ls-files 'lib/*.cc' 'tools/*.cc')
printf '%s\n' "${sources[@]}" |
  xargs -P "$(nproc)" -n 8 clang-tidy-14 -p build --quiet --warnings-as-errors='*' 2> >(grep -v ' warnings\? generated\|^Suppressed\|^Use -' >&2)
echo "lint: ${#files[@]} files laid out, ${#sources[@]} analysed"
