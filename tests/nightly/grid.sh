#!/bin/bash
# The 25 Gaussians of the item ring.
# shellcheck source=tests/nightly/ring.sh
. "${0%/*}/ring.sh"
