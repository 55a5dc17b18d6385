#!/bin/bash
# Each repository check fails on a fault planted in a scratch copy, and passes without it.
# planted.sh SOURCE_DIR BUILD_DIR
set -u
source=$1 build=$2
here=$source/tests/checks
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/clean"
(cd "$source" && tar cf - lib tools tests man share .ci) | tar xf - -C "$scratch/clean"
tried=0 failed=0

# plant NAME CHECK FILE SCRIPT: runs a shell script with $f set to the file in a fresh copy.
plant() {
  local name=$1 check=$2 file=$3 script=$4 copy=$scratch/copy
  rm -rf "$copy"
  cp -r "$scratch/clean" "$copy"
  f=$copy/$file sh -c "$script"
  tried=$((tried + 1))
  if "$here/$check" "$copy" "$build" >"$scratch/said" 2>&1; then
    echo "planted fault not found: $name"
    failed=$((failed + 1))
  fi
}
for check in floors.py sizes.py flags.py manuals.sh scripts.sh names.py words.sh; do
  "$here/$check" "$scratch/clean" "$build" >"$scratch/said" 2>&1 || {
    cat "$scratch/said"
    echo "$check fails without a planted fault"
    failed=$((failed + 1))
  }
done
# shellcheck disable=SC2016  # $f is expanded by plant
{
  plant "base includes graph" floors.py lib/base/log.cc 'sed -i "1i #include \"graph/graph.h\"" "$f"'
  plant "a tool includes an outside header" floors.py tools/sample.cc 'sed -i "1i #include <hdf5.h>" "$f"'
  plant "nn includes Highway" floors.py lib/nn/scope.cc 'sed -i "1i #include <hwy/highway.h>" "$f"'
  plant "a file of 501 lines" sizes.py lib/base/long.cc 'yes "//" | head -501 >"$f"'
  plant "an option without an entry" flags.py man/sample.1 'sed -i "/^\.It.*Fl -seeds/d" "$f"'
  plant "an entry without an option" flags.py man/sample.1 'sed -i "0,/^\.It Fl/s//.It Fl -no-such-option\n&/" "$f"'
  plant "a macro that mdoc lacks" manuals.sh man/sample.1 'echo ".Xy" >>"$f"'
  plant "an unquoted variable" scripts.sh share/bad.sh 'printf "#!/bin/sh\nrm \$1\n" >"$f"'
  plant "a banned field" names.py lib/models/bad.cc 'echo "Fields f() { return {bind(n_layer, {\"n_layer\", \"x\"})}; }" >"$f"'
  plant "an unfinished remark" words.sh lib/base/bad.cc 'echo "// TO""DO" >"$f"'
}
echo "summary: planted faults: $tried tried, $failed problems"
[ $failed -eq 0 ]
