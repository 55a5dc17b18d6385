#!/bin/bash
# The classifier of share/recipes on Fashion-MNIST and on MNIST (of ATELIER_DATA): accuracy on the test
# pictures.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
learn() {  # learn NAME FOLDER AT_LEAST
  local name=$1 folder=$2
  for part in train t10k; do
    [ -e "$name-$part.h5" ] || data-pack -q "$folder/$part-images-idx3-ubyte.gz" --labels "$folder/$part-labels-idx1-ubyte.gz" -o "$name-$part.h5"
  done
  clip-train -c "$source_dir/share/recipes/classifier-28.toml" "$name-train.h5" --val-data "$name-t10k.h5" --run-dir "$name" --resume --save-every 2m -o "$name.h5"
  at_least "$name: accuracy on the test pictures" "$(metric "$name/metrics.jsonl" $((15 * 469)) val_accuracy)" "$3"
}
learn fashion "$fashion" 0.91
learn mnist "$data/mnist" 0.992
[ "$misses" = 0 ]
