#!/bin/bash
# Each repository check fails on a fault planted in a scratch copy, and passes without it.
# planted.sh SOURCE_DIR BUILD_DIR
set -u
source=$1 build=$2
here=$source/tests/checks
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/clean"
(cd "$source" && tar cf - lib tools tests man share .ci ./*.md Makefile CMakeLists.txt CMakePresets.json) | tar xf - -C "$scratch/clean"
tried=0 failed=0

# plant NAME CHECK FILE SCRIPT: runs a shell script with $f set to the file in a fresh copy of the
# source, or, for bin/TOOL, of a build directory whose programs call the real ones.
plant() {
  local name=$1 check=$2 file=$3 script=$4 copy=$scratch/copy
  rm -rf "$copy"
  cp -r "$scratch/clean" "$copy"
  local tool bin=$copy/build/bin
  mkdir -p "$bin"
  for tool in "$build"/bin/*; do
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$tool" >"$bin/${tool##*/}"
    chmod +x "$bin/${tool##*/}"
  done
  case $file in bin/*) file=build/$file ;; esac
  f=$copy/$file sh -c "$script"
  tried=$((tried + 1))
  if "$here/$check" "$copy" "$copy/build" >"$scratch/said" 2>&1; then
    echo "planted fault not found: $name"
    failed=$((failed + 1))
  fi
}
for check in floors.py sizes.py flags.py manuals.sh presets.py scripts.sh names.py words.sh tools.py; do
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
  plant "OpenCV outside its folder" floors.py lib/io/png.cc 'sed -i "1i #include <opencv2/core.hpp>" "$f"'
  plant "HDF5 in a file of pictures" floors.py lib/io/pnm.cc 'sed -i "1i #include <hdf5.h>" "$f"'
  plant "intrinsics in a layer" floors.py lib/nn/scope.cc 'sed -i "1i #include <immintrin.h>" "$f"'
  plant "a row that allows too little" floors.py tests/floors.txt 'sed -i "s|^only png.h: .*|only png.h: lib/io/pnm|" "$f"'
  plant "a file of 501 lines" sizes.py lib/base/long.cc 'yes "//" | head -501 >"$f"'
  plant "an option without an entry" flags.py man/sample.1 'sed -i "/^\.It.*Fl -seeds/d" "$f"'
  plant "an entry without an option" flags.py man/sample.1 'sed -i "0,/^\.It Fl/s//.It Fl -no-such-option\n&/" "$f"'
  plant "a short name without an entry" flags.py man/sample.1 'sed -i "s/^\.It Fl h , Fl -help/.It Fl -help/" "$f"'
  plant "a short name that no option has" flags.py man/sample.1 'sed -i "s/^\.It Fl -seeds/.It Fl z , Fl -seeds/" "$f"'
  plant "a program without a page" flags.py man/sample.1 'rm "$f"'
  plant "a page without a section" manuals.sh man/sample.1 'sed -i "/^\.Sh FILES/d" "$f"'
  plant "sections in another order" manuals.sh man/model-info.1 'sed -i "s/^\.Sh FILES/.Sh X/; s/^\.Sh EXIT STATUS/.Sh FILES/; s/^\.Sh X/.Sh EXIT STATUS/" "$f"'
  plant "a macro that mdoc lacks" manuals.sh man/sample.1 'echo ".Xy" >>"$f"'
  plant "a page with another value of a preset" presets.py man/vae-train.1 'sed -i "0,/^\.Fl -latent-dim Cm 64/s//.Fl -latent-dim Cm 63/" "$f"'
  plant "a preset without an entry" presets.py man/vae-train.1 'sed -i "/^\.It Cm linear$/d" "$f"'
  plant "an unquoted variable" scripts.sh share/bad.sh 'printf "#!/bin/sh\nrm \$1\n" >"$f"'
  plant "a banned field" names.py lib/models/bad.cc 'echo "Fields f() { return {bind(n_layer, {\"n_layer\", \"x\"})}; }" >"$f"'
  plant "a home" words.sh lib/base/bad.cc 'echo "// as in /ho""me/me/x.h5" >"$f"'
  plant "a place of one machine" words.sh man/sample.1 'printf "%s\n" "see /wo""rk/data" >>"$f"'
  plant "a program that README lacks" tools.py README.md 'sed -i "/man\/sample\.1/d" "$f"'
  plant "a program that the overview lacks" tools.py man/atelier.7 'sed -i "/^\.It Xr sample 1/d" "$f"'
  plant "a banned option" names.py bin/sample 'printf "%s\n" "echo \"  -l, --lr X  rate\"" >>"$f"; sed -i "s/^exec //" "$f"'
  plant "a banned other name of an option" names.py bin/sample 'printf "%s\n" "echo \"  --lr, --learning-rate X  rate\"" >>"$f"; sed -i "s/^exec //" "$f"'
  plant "an unfinished remark" words.sh lib/base/bad.cc 'echo "// TO""DO" >"$f"'
  plant "a comparison that lets small figures pass" words.sh tests/base/bad_test.cc 'echo "CHECK(x == doctest::Appr""ox(1e-9));" >"$f"'
}
echo "summary: planted faults: $tried tried, $failed problems"
[ $failed -eq 0 ]
