#!/bin/sh
# Sources speak of the project alone: nothing unfinished, no absolute home or build paths. Tests
# compare figures by their own size.
# words.sh SOURCE_DIR [BUILD_DIR].
set -u
cd "$1" || exit 1
# Patterns are split so that this file does not match itself.
unfinished='TO''DO|FIX''ME|\bXX''X\b|not impl''emented|place''holder'
found=$(grep -rnEI "$unfinished" lib tools man share tests README.md CONTRIBUTING.md --include='*' \
  --exclude-dir=golden 2>/dev/null | grep -v '^tests/checks/words.sh' | cut -c1-160)
if [ -n "$found" ]; then
  echo "$found"
  exit 1
fi
# Homes and build places: where a program finds things it looks relative to itself, and system
# directories have names of their own.
places='(^|[^A-Za-z0-9._~*+}$-])/(ho''me|ro''ot|wo''rk)/'
found=$(grep -rnEI "$places" lib tools man share tests .ci README.md CONTRIBUTING.md NEWS.md Makefile \
  CMakeLists.txt CMakePresets.json 2>/dev/null | cut -c1-160)
if [ -n "$found" ]; then
  echo "$found"
  exit 1
fi
# doctest's Approx adds one to the size of what it compares: tests/support/near.h does not.
found=$(grep -rn 'doctest::Appr''ox' tests | cut -c1-160)
if [ -n "$found" ]; then
  echo "$found"
  exit 1
fi
echo "summary: words: nothing unfinished and no place of one machine is named"
