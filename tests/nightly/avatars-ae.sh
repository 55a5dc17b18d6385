#!/bin/bash
# A convolutional autoencoder with 64 numbers on the avatars of share/, 2,400 to train on and 400
# held out, against 64 principal components fitted on the same 2,400; 150 epochs with flips, Adam
# with one cycle up to 2e-3. Shows pairs of held-out pictures and their reconstructions.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
if [ ! -e test.h5 ]; then
  rm -rf pictures held
  mkdir pictures held
  tar xzf "$source_dir/share/avatars-cc0-32.tar.gz" -C pictures
  # A fixed shuffle: by the checksum of the name.
  find pictures -name '*.png' | while read -r file; do
    echo "$(printf %s "$file" | md5sum | cut -c1-16) $file"
  done | LC_ALL=C sort | sed -n '1,400p' | while read -r _ file; do mv "$file" "held/$(basename "$(dirname "$file")")-$(basename "$file")"; done
  find pictures -name captions.tsv -delete
  data-pack -q pictures -o train.h5
  data-pack -q held -o test.h5
fi
vae-train train.h5 --val-data test.h5 --preset avatars --no-variational --sigma unit --run-dir run --resume --epochs 150 --save-every 1m -o ae.h5
step=$((150 * 38))
ours=$(metric run/metrics.jsonl $step val_squared_error)
pca=$(first_metric run/metrics.jsonl baseline_squared_error)
# The mean squared error of a pixel's channel, in decibels below 1.
decibels() { awk "BEGIN { printf \"%.2f\", -10 * log($1 / 3072) / log(10) }"; }
echo "autoencoder: $(decibels "$ours") dB, principal components: $(decibels "$pca") dB"
at_least "decibels above 64 principal components" "$(awk "BEGIN { printf \"%.2f\", $(decibels "$ours") - $(decibels "$pca") }")" 4.5
sample ae.h5 --reconstruct test.h5 -n 64 --grid 16x8 -o reconstructions.png
[ "$misses" = 0 ]
