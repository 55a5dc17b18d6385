#!/bin/bash
# Each byte of a file flipped, where the short form of the test takes every fifth.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
export ATELIER_THOROUGH=1
"$build/io_test" -tc='*flipped byte*,*cut at any*' | grep -v '^\[doctest\] \(doctest\|run\)'
