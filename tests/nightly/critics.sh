#!/bin/bash
# The Wasserstein losses of the item losses, whose critics step five times as often.
# shellcheck source=tests/nightly/losses.sh
. "${0%/*}/losses.sh"
