#!/bin/bash
# A bare Debian 12 with git and make only, in which `make demo` and `make check` do everything.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: bare: not root"; exit 77; }
BARE_LOG=$state/bare.log bash "$source_dir/tests/bare.sh"
