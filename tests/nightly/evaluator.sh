#!/bin/bash
# What model-eval says of real pictures, noised ones, some classes alone, and copies of the reference,
# 4,000 each of Fashion-MNIST and of the avatars of ATELIER_DATA at 32x32, with the Gaussian control
# beside them: every figure must move the way it should.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -e "$data/avatars64.tar" ] || { echo "skipped: no avatars64.tar in ATELIER_DATA"; exit 77; }
sets() { python3 "$source_dir/tests/nightly/evaluator_sets.py" "$@"; }
judge() {  # judge NAME CLASSES: of NAME/all.h5
  (
    cd "$1"
    sets sets all.h5 4000 "$2"
    for name in real noised dropped copied; do
      model-eval -q $name.h5 --reference reference.h5 --unseen unseen.h5 --control --json --nearest $name.png >$name.json
    done
    echo "$1: distances are in $(python3 -c 'import json; print(json.load(open("real.json"))["features"])')"
    sets table
  )
}
mkdir -p fashion avatars
[ -e fashion/all.h5 ] || data-pack -q "$fashion/train-images-idx3-ubyte.gz" --labels "$fashion/train-labels-idx1-ubyte.gz" --limit 20000 -o fashion/all.h5
[ -e avatars/all.h5 ] || data-pack -q "$data/avatars64.tar" --image-size 32 -o avatars/all.h5
judge fashion 5 || misses=$((misses + 1))
echo
judge avatars 2 || misses=$((misses + 1))
[ "$misses" = 0 ]
