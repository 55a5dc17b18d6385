#!/bin/bash
# sample: formats, seeds, reconstructions, classes, diffusion, holes, bad input.
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
status 0 sample vae.h5 --reconstruct shapes.h5 --limit 7 -n 9 -o few.png
stderr_has 'shapes.h5: 7 pictures, not 9'
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
--seeds 1 -n 2 -o x.png|-n and --seeds exclude each other
--reconstruct shapes.h5 --seeds 1 -o x.png|--reconstruct and --seeds exclude each other
--grid 2x2 -o x.h5|--grid 2x2: goes with png, not with hdf5
--grid 2x2 --format tar -o x.png|--grid 2x2: goes with png, not with tar
--format gif -o x.png|--format 'gif': expected png, ppm, hdf5, tar
--split-by caption -o x.png|--split-by goes with --held-out
--split-by caption --reconstruct shapes.h5 -o x.png|--split-by goes with --held-out
--split-by label --held-out 0.5 --reconstruct shapes.h5 -o x.png|--split-by 'label': expected name, caption
--held-out 1.5 --reconstruct shapes.h5 -o x.png|--held-out: expected a share
--held-out -0.5 --reconstruct shapes.h5 -o x.png|--held-out: expected a share
--image-size 16 -o x.png|--image-size goes with --reconstruct and --inpaint
--limit 3 -n 2 -o x.png|--limit goes with --reconstruct and --inpaint
--reconstruct shapes.h5 --mask shapes.h5 -o x.png|--inpaint and --mask: expected both
--reconstruct shapes.h5 --inpaint shapes.h5 --mask shapes.h5 -o x.png|--reconstruct and --inpaint exclude each other
--inpaint shapes.h5 -o x.png|--inpaint and --mask: expected both
--mask shapes.h5 -o x.png|--inpaint and --mask: expected both
--inpaint-repeats 2 -o x.png|--inpaint-repeats goes with --inpaint
--inpaint shapes.h5 --mask shapes.h5 --inpaint-repeats 1001 -o x.png|--inpaint-repeats 1001: expected 1 to 1000
--sampler ddpm -o x.png|--sampler is about samples of diffusion models, vae.h5 is none
--trajectory 3 -o x.png|--trajectory is about samples of diffusion models, vae.h5 is none
--trajectory 3 --grid 3x3 -o x.png|--trajectory and --grid exclude each other
--timesteps 3,0 --sample-steps 2 -o x.png|--timesteps and --sample-steps exclude each other
--timesteps 3,0 --timestep-spacing leading -o x.png|--timesteps and --timestep-spacing exclude each other
--class x -o x.png|--class 'x': expected a class, from 0, or none
T
status 2 sample --reconstruct - -o x.png
stderr_has "'-' twice: standard input can be read once only"
# A variable may be meant for another tool of the pipeline.
status 0 env ATELIER_IMAGE_SIZE=16 sample vae.h5 -n 1 -o one.png
# What is typed holds over a variable, in either way of saying how many.
status 0 env ATELIER_NUM=3 sample vae.h5 --seeds 7,3 -o typed.h5
status 0 cmp typed.h5 two.h5
status 0 env ATELIER_SEEDS=7,3 sample vae.h5 -n 2 -o counted.h5
status 0 sample vae.h5 -n 2 -o first.h5
status 0 cmp counted.h5 first.h5
status 0 bash -c 'ATELIER_SEEDS=7,3 sample vae.h5 -n 2 --print-config >seeds.toml'
status 0 sample -c seeds.toml -o printed.h5
status 0 cmp printed.h5 first.h5
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

# ---- diffusion models: the same pictures for any batch split and number of threads
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o eight.h5
ddpm-train -q eight.h5 --net mlp --embed-dim 16 --depth 1 --class-conditional --batch-size 20 --steps 20 -o ddpm.h5
for how in '--sampler ddim' '--sampler ddpm' '--sampler heun --guidance-scale 2'; do
  # shellcheck disable=SC2206  # words are meant
  how=($how --sample-steps 5)
  status 0 sample ddpm.h5 --seeds 0-9 "${how[@]}" -o all.h5
  for split in '1 1' '3 2' '7 3'; do
    read -r batch threads <<<"$split"
    status 0 sample ddpm.h5 --seeds 0-9 "${how[@]}" --batch-size "$batch" -j "$threads" -o split.h5
    status 0 cmp all.h5 split.h5
  done
done
status 0 sample ddpm.h5 -n 4 --sample-steps 4 -o four.ppm
status 0 sample ddpm.h5 -n 4 --timesteps 999,749,499,249 -o listed.ppm
status 0 cmp four.ppm listed.ppm
# Guidance of scale 1 is none, of 0 is that of no class.
status 0 sample ddpm.h5 -n 4 --sample-steps 4 --guidance-scale 1 -o one.ppm
status 0 cmp four.ppm one.ppm
status 0 sample ddpm.h5 -n 4 --sample-steps 4 --class none -o none.ppm
status 0 sample ddpm.h5 -n 4 --sample-steps 4 --guidance-scale 0 --class 1 -o zero.ppm
# What is drawn without a class has no label.
status 0 sample ddpm.h5 -n 2 --sample-steps 2 --guidance-scale 0 -o unlabelled.h5
status 0 sample ddpm.h5 -n 2 --sample-steps 2 -o labelled.h5
check 'labels' python3 -c 'import h5py, sys
sys.exit("labels" in h5py.File("unlabelled.h5") or "labels" not in h5py.File("labelled.h5"))'
status 0 cmp none.ppm zero.ppm
status 1 cmp -s none.ppm four.ppm
# Classes by name and by number; files say which, and classifiers know them.
status 0 sample ddpm.h5 -n 5 --sample-steps 4 --class square -o named.h5
status 0 sample ddpm.h5 -n 5 --sample-steps 4 --class 1 -o numbered.h5
status 0 cmp named.h5 numbered.h5
status 0 model-info --check --tensors named.h5
stdout_has '/labels.*i32.*\[5\]'
stdout_has '/meta/label_names'
status 0 sample ddpm.h5 -n 6 --sample-steps 4 --class none -o nobody.h5
status 0 model-info --tensors nobody.h5
status 1 grep -q labels stdout
clip-train -q eight.h5 --targets labels --net conv --channels 4,8 --steps 2 -o cls.h5
status 0 model-eval named.h5 --classifier cls.h5
stdout_has '^class_accuracy: '
gan-train -q eight.h5 --net mlp --hidden-dim 8 --latent-dim 4 --class-conditional --val-samples 0 --steps 2 --batch-size 8 -o gan.h5
status 0 sample gan.h5 -n 3 --class triangle -o gan.ppm

# ---- ways: rows from noise to sample, whose last is the sample
status 0 sample ddpm.h5 -n 3 --sample-steps 4 -o three.ppm
status 0 sample ddpm.h5 -n 3 --sample-steps 4 --trajectory 5 -o ways.ppm
status 0 test "$(stat -c %s ways.ppm)" = $((15 * 203))
picture() { head -c $((203 * $2 + 203)) "$1" | tail -c 203; }
for i in 0 1 2; do status 0 cmp <(picture three.ppm $i) <(picture ways.ppm $((5 * i + 4))); done
status 0 sample ddpm.h5 -n 3 --sample-steps 4 --trajectory 5 --trajectory-of noised -o noised.ppm
status 0 cmp <(picture three.ppm 2) <(picture noised.ppm 14)
status 1 cmp -s <(picture ways.ppm 0) <(picture noised.ppm 0)
status 0 sample ddpm.h5 -n 3 --sample-steps 4 --trajectory 5 -o ways.png
status 0 sample ddpm.h5 -n 2 --sample-steps 4 --trajectory 3 -o ways.tar
status 0 test "$(tar tf ways.tar | sort -u | wc -l)" = 6

# ---- holes: what is kept stays, what is drawn is that of the seed
data-pack -q eight.h5 --limit 3 -o given.h5
pgm() { { printf 'P5\n%d %d\n255\n' "$1" "$2" && head -c $(($1 * $2)) /dev/zero | tr '\0' "$3"; } >"$4"; }
pgm 8 8 '\0' black.pgm
pgm 8 8 '\377' white.pgm
{ printf 'P5\n8 8\n255\n' && head -c 32 /dev/zero && head -c 32 /dev/zero | tr '\0' '\200'; } >half.pgm
status 0 sample ddpm.h5 --inpaint given.h5 --mask black.pgm --sample-steps 4 --format hdf5 -o kept.h5
check 'with nothing to draw the pictures are those given' python3 -c 'import h5py, sys
given, kept = (h5py.File(name)["images"][:] for name in ("given.h5", "kept.h5"))
sys.exit(not (given == kept).all())'
check 'and of their classes' python3 -c 'import h5py, sys
given, kept = (h5py.File(name)["labels"][:] for name in ("given.h5", "kept.h5"))
sys.exit(not (given == kept).all())'
status 0 sample ddpm.h5 --inpaint given.h5 --mask white.pgm --sample-steps 4 --class 0 -o drawn.ppm
status 0 sample ddpm.h5 -n 3 --sample-steps 4 --class 0 -o free.ppm
status 0 cmp drawn.ppm free.ppm
for how in '--sampler ddpm --inpaint-repeats 3' '--sampler dpm2m'; do
  # shellcheck disable=SC2206  # words are meant
  how=($how --sample-steps 4)
  status 0 sample ddpm.h5 --inpaint given.h5 --mask half.pgm -n 7 "${how[@]}" -o half.h5
  status 0 sample ddpm.h5 --inpaint given.h5 --mask half.pgm -n 7 "${how[@]}" --batch-size 2 -o split.h5
  status 0 cmp half.h5 split.h5
  check 'the upper half is kept, the lower drawn' python3 -c 'import h5py, sys
given, made = (h5py.File(name)["images"][:] for name in ("given.h5", "half.h5"))
upper = all((made[i, :4] == given[i % 3, :4]).all() for i in range(7))
drawn = (made[0, 4:] != given[0, 4:]).any() and (made[0] != made[3]).any()
sys.exit(not (upper and drawn))'
done
# A seed draws the hole of its picture, wherever it stands.
status 0 sample ddpm.h5 --inpaint given.h5 --mask half.pgm --sample-steps 4 -n 9 -o nine.h5
status 0 sample ddpm.h5 --inpaint given.h5 --mask half.pgm --sample-steps 4 --seeds 7,5 -o two.h5
check 'seeds 7 and 5 fill their pictures' python3 -c 'import h5py, sys
nine, two = h5py.File("nine.h5")["images"][:], h5py.File("two.h5")["images"][:]
sys.exit(not (nine[[7, 5]] == two).all())'
status 0 sample ddpm.h5 --inpaint given.h5 --mask half.pgm --sample-steps 4 -o pairs.png
status 0 sample ddpm.h5 --inpaint given.h5 --mask given.h5 --sample-steps 4 -o each.png
pgm 12 8 '\0' wide.pgm
refused 'wide.pgm: a mask of 8x12, but the pictures are 8x8' sample ddpm.h5 --inpaint given.h5 --mask wide.pgm -o x.h5
refused 'given.h5: 3 masks for the 40 pictures of eight.h5' sample ddpm.h5 --inpaint eight.h5 --mask given.h5 -o x.h5
refused 'vae.h5: this is no diffusion model' sample vae.h5 --inpaint given.h5 --mask half.pgm -o x.h5
refused 'missing.pgm: cannot open' sample ddpm.h5 --inpaint given.h5 --mask missing.pgm -o x.h5

# ---- what a diffusion model cannot do
refused 'ddpm.h5: no class 3, it has 0 to 2' sample ddpm.h5 --class 3 -o x.h5
refused "ddpm.h5: no class 'hexagon', it has disc, square, triangle" sample ddpm.h5 --class hexagon -o x.h5
ddpm-train -q eight.h5 --net mlp --embed-dim 8 --depth 1 --batch-size 20 --steps 2 -o plain.h5
refused 'plain.h5: --guidance-scale 2: this model knows no classes to guide to' sample plain.h5 --guidance-scale 2 -o x.h5
refused 'plain.h5: this model draws no classes' sample plain.h5 --class none -o x.h5
ddpm-train -q eight.h5 --net mlp --embed-dim 8 --depth 1 --batch-size 20 --steps 2 --class-conditional --class-dropout-prob 0 -o always.h5
refused 'always.h5: --guidance-scale 2: this model never saw pictures without their class' sample always.h5 --guidance-scale 2 -o x.h5
refused 'always.h5: --class none: this model draws no pictures without a class' sample always.h5 --class none -o x.h5
refused 'gan.h5: --class none: this model draws no pictures without a class' sample gan.h5 --class none -o x.h5
ddpm-train -q eight.h5 --net mlp --embed-dim 8 --depth 1 --batch-size 20 --steps 2 --beta-schedule cosine -o cosine.h5
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 sample $words -o x.png
  stderr_has "$message"
done <<'T'
ddpm.h5 --temperature 0.5|--temperature 0.5: there is no noise to scale
ddpm.h5 --timesteps 1000,0|--timesteps 1000: expected 0 to 999
ddpm.h5 --timesteps 5,5|--timesteps: expected at least one, each once, in order
ddpm.h5 --timesteps 9;3|--timesteps '9;3': expected numbers from 0, such as
ddpm.h5 --sampler dpm2m --eta 0.5|--eta 0.5: only the sampler ddim has one
ddpm.h5 --sampler euler|--sampler 'euler': expected ddpm, ddim, dpm2m, heun
ddpm.h5 --class none --guidance-scale 2|--guidance-scale 2: there is no class to guide to
ddpm.h5 --trajectory 7 --sample-steps 5|--trajectory 7: expected 2 to 6 pictures of 5 steps
ddpm.h5 --inpaint given.h5 --mask half.pgm --inpaint-repeats 2 --sampler heun|--sampler heun: its steps build on each other and cannot be repeated
cosine.h5 --no-clip-x0 --timesteps 999,500,0|--timesteps 999: the first step multiplies errors in epsilon by
T
status 0 test ! -e x.png
status 1 bash -c 'sample ddpm.h5 -n 2 --sample-steps 2 --trajectory 3 >/dev/full'
stderr_has 'sample: standard output: cannot write: No space left on device'
status 141 unread sample ddpm.h5 -n 2 --sample-steps 2 --inpaint given.h5 --mask half.pgm --format ppm
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
