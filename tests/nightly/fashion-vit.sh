#!/bin/bash
# A vision transformer on Fashion-MNIST from scratch, preset vit-28, 36 epochs: accuracy on the test
# pictures, and how far attention looks, by depth.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
for part in train t10k; do
  [ -e $part.h5 ] || data-pack -q "$fashion/$part-images-idx3-ubyte.gz" --labels "$fashion/$part-labels-idx1-ubyte.gz" -o $part.h5
done
clip-train train.h5 --val-data t10k.h5 --preset vit-28 --hflip --crop-padding 2 --epochs 36 --run-dir run --resume --save-every 2m -o vit.h5
accuracy=$(metric run/metrics.jsonl $((36 * 469)) val_accuracy)
img2vec -m vit.h5 t10k.h5 --limit 1000 --attention distance.tsv --attention-maps attention.png 2>attention.txt
img2vec -q -m vit.h5 t10k.h5 --limit 1000 --attention distance.svg
cat distance.tsv attention.txt
training_time run/metrics.jsonl
at_least 'accuracy on the test pictures' "$accuracy" 0.90
[ "$misses" = 0 ]
