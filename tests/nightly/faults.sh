#!/bin/bash
# Every call of vae-train, data-pack and sample that writes, syncs, truncates, renames or creates a
# file fails once with EIO and once with ENOSPC, and once together with all later ones: one message
# that names program, file and reason, status 1, the old file as it was, nothing left behind.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/faults.sh
. "$source_dir/tests/support/faults.sh"
can_inject || { echo "skipped: strace cannot make calls fail here"; exit 77; }
rm -rf ./* .[!.]*.tmp
cases=0 faults=0
small=(--net conv --channels '4,8' --latent-dim 4 --likelihood gaussian --batch-size 16 -j 1 -q)
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o shapes.h5

# Checkpoints that a failed run has left are whole, all of them.
still_whole() {
  local file
  for file in run/*.h5; do
    [ ! -e "$file" ] || model-info --check "$file" >/dev/null 2>&1 || verdict="$file is broken"
  done
}
prepare() { rm -rf run; }
sweep 'vae-train with a run directory' vae-train out.h5 'EIO ENOSPC' 1 -- vae-train shapes.h5 "${small[@]}" --steps 4 \
  --save-every 2 --val-split 0.3 --val-every 2 --sample-every 2 --sample-grid 2x2 --log-every 1 --run-dir run -o out.h5
# The same from the middle: records after the checkpoint are taken out of the metrics first.
rm -rf middle
vae-train shapes.h5 "${small[@]}" --steps 6 --save-every 2 --log-every 1 --keep 9 --run-dir middle
rm -f middle/step-0000000[456].h5
prepare() { rm -rf run && cp -r middle run; }
sweep 'vae-train resumed' vae-train out.h5 'EIO ENOSPC' 1 -- vae-train shapes.h5 "${small[@]}" --steps 6 --save-every 2 --log-every 1 \
  --keep 9 --run-dir run --resume -o out.h5
prepare() { :; }
still_whole() { :; }
sweep 'data-pack' data-pack pack.h5 'EIO ENOSPC' 1 -- data-pack -q -j 1 --synthetic shapes --synthetic-count 40 --image-size 8 -o pack.h5
vae-train shapes.h5 "${small[@]}" --steps 2 -o model.h5
for format in png ppm h5 tar; do
  sweep "sample, $format" sample "out.$format" 'EIO ENOSPC' 1 -- sample -q -j 1 -n 5 model.h5 -o "out.$format"
done
echo "summary: faults: $cases cases, $faults not clean"
[ $faults = 0 ]
