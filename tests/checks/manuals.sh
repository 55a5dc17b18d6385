#!/bin/sh
# mandoc finds nothing to say about any page; manuals.sh SOURCE_DIR [BUILD_DIR].
set -u
cd "$1" || exit 1
said=$(mandoc -T lint -W warning man/*.[1-8] 2>&1 | grep -v 'outdated mandoc.db\|missing date')
if [ -n "$said" ]; then
  echo "$said"
  exit 1
fi
set -- man/*.[1-8]
echo "summary: manuals: $# pages are clean"
