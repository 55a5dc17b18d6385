#!/bin/bash
# sample: formats, seeds, reconstructions, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 40 --image-size 16 -o shapes.h5
vae-train -q shapes.h5 --net conv --channels 8,16 --latent-dim 8 --epochs 2 -o vae.h5

status 0 sample vae.h5 -n 16 -o grid.png
status 0 test "$(head -c 4 grid.png | tail -c 3)" = PNG
status 0 sample vae.h5 --seeds 0-15 -o all.h5
status 0 sample vae.h5 --seeds 0-15 --batch-size 5 -j 3 -o split.h5
status 0 cmp all.h5 split.h5
for threads in 1025 100000 1e9; do
  status 2 sample vae.h5 -n 2 -j $threads -o x.png
  stderr_has "-j '$threads': expected a whole number from 0 to 1024"
done
status 0 env OMP_NUM_THREADS=100000 sample vae.h5 --seeds 0-15 -o split.h5
status 0 cmp all.h5 split.h5
status 0 env SLURM_CPUS_PER_TASK=99999999999999 sample vae.h5 -n 2 -o many-threads.png
status 0 sample vae.h5 --seeds 7,3 -o two.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
  status 0 /usr/bin/python3 - <<'P'
import h5py
a, b = h5py.File("all.h5"), h5py.File("two.h5")
assert list(b["seeds"]) == [7, 3]
assert (a["images"][7] == b["images"][0]).all() and (a["images"][3] == b["images"][1]).all()
assert b["images"].shape == (2, 16, 16, 3)
P
else
  echo "skipped: reading samples by h5py: python3-h5py is not installed"
fi
status 0 sample vae.h5 -n 3 -o three.tar
status 0 test "$(tar tf three.tar | wc -l)" = 3
status 0 bash -c 'sample vae.h5 -n 3 --format ppm >three.ppm'
status 0 test "$(stat -c %s three.ppm)" = $((3 * (13 + 768)))
status 0 sample vae.h5 --reconstruct shapes.h5 -n 8 --grid 4x4 -o pairs.png
status 0 sample vae.h5 --reconstruct shapes.h5 --held-out 0.3 -o pairs.h5
# In a tar archive no member hides another: each original and its reconstruction comes out of it.
status 0 sample vae.h5 --reconstruct shapes.h5 -n 3 -o pairs.tar
mkdir pairs
status 0 tar -xf pairs.tar -C pairs
status 0 test "$(find pairs -name '*.png' | wc -l)" = 6
for i in 0 1 2; do
  status 1 cmp -s pairs/0000000$i.png pairs/0000000$i-reconstruction.png
done
if command -v h5dump >/dev/null; then
  dump() { h5dump -d /images -b LE -o "$2" "$1" >/dev/null; }
  data-pack -q pairs/0000000?.png -o originals.h5
  data-pack -q shapes.h5 --limit 3 -o three.h5
  dump originals.h5 originals.bin && dump three.h5 three.bin
  status 0 test "$(stat -c %s originals.bin)" = $((3 * 768))
  status 0 cmp originals.bin three.bin
else
  echo 'skipped: reading the members of a tar archive: h5dump is not installed'
fi
status 0 bash -c 'sample - -n 4 <vae.h5 >piped.png'
status 0 bash -c 'set -o pipefail; data-pack -q shapes.h5 -o - | vae-train -q - -o - --net conv --channels 8,16 --latent-dim 8 --epochs 1 | sample -n 64 - >chain.png'
status 0 test "$(head -c 4 chain.png | tail -c 3)" = PNG

status 2 sample vae.h5 -n 4 --seeds 1 -o x.png
status 2 sample vae.h5 -n 17 --grid 4x4 -o x.png
stderr_has '16 cells for 17 pictures'
status 2 sample vae.h5 -n 0 -o x.png
for name in x.png x.h5; do
  status 1 sample vae.h5 --reconstruct shapes.h5 --limit 3 --held-out 0.001 -o $name
  stderr_has 'shapes.h5: nothing is held out: --held-out 0.001 of 3 pictures'
  status 0 test ! -e $name
done
status 2 sample vae.h5 -n 3G -o x.png
status 2 sample vae.h5 -n 3000M -o x.png
stderr_has 'there are 2147483647 seeds'
# Options that would have no effect are refused, not passed over.
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 sample vae.h5 $words
  stderr_has "$message"
done <<'T'
--reconstruct shapes.h5 --seeds 1 -o x.png|--reconstruct and --seeds exclude each other
--grid 2x2 -o x.h5|--grid 2x2: goes with png, not with hdf5
--grid 2x2 --format tar -o x.png|--grid 2x2: goes with png, not with tar
--format gif -o x.png|--format 'gif': expected png, ppm, hdf5, tar
--split-by caption -o x.png|--split-by goes with --held-out
--split-by caption --reconstruct shapes.h5 -o x.png|--split-by goes with --held-out
--split-by label --held-out 0.5 --reconstruct shapes.h5 -o x.png|--split-by 'label': expected name, caption
--held-out 1.5 --reconstruct shapes.h5 -o x.png|--held-out: expected a share
--held-out -0.5 --reconstruct shapes.h5 -o x.png|--held-out: expected a share
--image-size 16 -o x.png|--image-size goes with --reconstruct
--limit 3 -n 2 -o x.png|--limit goes with --reconstruct
T
status 2 sample --reconstruct - -o x.png
stderr_has 'MODEL and --reconstruct - both want standard input'
# A variable may be meant for another tool of the pipeline.
status 0 env ATELIER_IMAGE_SIZE=16 sample vae.h5 -n 1 -o one.png
status 2 sample vae.h5 --held-out 0.5 -o x.png
cp vae.h5 kept.h5
status 2 sample vae.h5 -n 2 --format png -o vae.h5
stderr_has 'would replace what is read'
status 2 sample vae.h5 --reconstruct shapes.h5 -o shapes.h5
status 0 cmp vae.h5 kept.h5
status 2 sample vae.h5 --grid 257x256 -o x.png
stderr_has '--grid 257x256: has 65792 cells, at most 65536 are drawn'
status 2 sample vae.h5 -n 65537 -o x.png
stderr_has 'a png grid holds at most 65536 pictures, not 65537; use --format hdf5, tar or ppm'
status 2 sample vae.h5 -n 4 --grid 4 -o x.png
stderr_has "--grid '4'"
status 2 sample vae.h5 --seeds 3- -o x.png
status 2 sample vae.h5 -n 4 -o x.gif
stderr_has 'x.gif'
status 1 sample missing.h5 -o x.png
stderr_has 'missing.h5: cannot open'
status 1 sample shapes.h5 -o x.png
stderr_has 'expected kind checkpoint, found kind images'
status 1 bash -c 'sample vae.h5 -n 4 >/dev/full'
stderr_has 'standard output'
data-pack -q --synthetic shapes --synthetic-count 4 --image-size 12 -o other.h5
# Pictures are prepared as the model's own were, unless the user says otherwise.
status 0 sample vae.h5 --reconstruct other.h5 -o resized.png
status 1 sample vae.h5 --reconstruct other.h5 --image-size 12 -o x.png
stderr_has 'pictures of 12x12x3, but vae.h5 takes 16x16x3'
status 0 test ! -e x.png
# A reader that goes away ends the filter silently.
sample vae.h5 -n 2000 --format ppm 2>stderr | head -c 10 >/dev/null
status 0 test ! -s stderr

# Every flipped byte of a small checkpoint is found, or changes nothing that is read.
vae-train -q --synthetic noise --synthetic-count 8 --image-size 4 --net fc --hidden-dim 3 --latent-dim 2 --steps 1 -o tiny.h5
status 0 model-info --check tiny.h5
size=$(stat -c %s tiny.h5)
model-info --check tiny.h5 | grep -v '^file' >right
missed=0
for at in $(seq 40 211 "$size"); do
  cp tiny.h5 flipped.h5
  byte=$(od -An -tu1 -j "$at" -N 1 tiny.h5)
  printf '%b' "\\x$(printf %x $((byte ^ 16)))" | dd of=flipped.h5 bs=1 seek="$at" conv=notrunc 2>/dev/null
  if model-info --check flipped.h5 2>/dev/null | grep -v '^file' >seen && ! cmp -s right seen; then
    missed=$((missed + 1))
    echo "flip at $at was not found"
  fi
done
status 0 test $missed = 0
finish
