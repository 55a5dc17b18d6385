#!/bin/sh
# mandoc finds nothing to say about any page, and each page of a program has the ten sections in
# their order, once each; manuals.sh SOURCE_DIR [BUILD_DIR].
set -u
cd "$1" || exit 1
said=$(mandoc -T lint -W warning man/*.[1-8] 2>&1 | grep -v 'outdated mandoc.db\|missing date')
if [ -n "$said" ]; then
  echo "$said"
  exit 1
fi
sections='NAME SYNOPSIS DESCRIPTION OPTIONS ENVIRONMENT FILES EXIT STATUS EXAMPLES SEE ALSO CAVEATS'
for page in man/*.1; do
  found=$(sed -n 's/^\.Sh //p' "$page" | paste -sd ' ')
  if [ "$found" != "$sections" ]; then
    echo "$page: expected the sections $sections, found $found"
    exit 1
  fi
done
set -- man/*.[1-8]
echo "summary: manuals: $# pages are clean"
