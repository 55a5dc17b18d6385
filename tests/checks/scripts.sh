#!/bin/sh
# No script gives shellcheck anything to say; scripts.sh SOURCE_DIR [BUILD_DIR].
set -u
cd "$1" || exit 1
scripts=$(find share tests .ci -name '*.sh' -o -path '.ci/run' | sort)
# shellcheck disable=SC2086  # a list of words is meant
shellcheck -x -P SCRIPTDIR $scripts || exit 1
echo "summary: scripts: $(echo "$scripts" | wc -l) scripts are clean"
