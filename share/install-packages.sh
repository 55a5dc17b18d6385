#!/bin/sh
# Installs the packages of share/packages.txt that are missing, and says which. Sections as
# arguments (build check lint asan); nothing is done when all are present.
set -eu
list=$(dirname "$0")/packages.txt
wanted=$(awk -v sections=" $* " '
  /^# / { in_section = index(sections, " " $2 " ") > 0; next }
  NF && in_section { print $1 }' "$list")
missing=
for package in $wanted; do
  case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true) in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086  # a list of words is meant
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
