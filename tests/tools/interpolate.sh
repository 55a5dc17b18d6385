#!/bin/bash
# interpolate: ends that are what sample draws, every kind of ends and outputs, noises, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
python() { /usr/bin/python3 "$@"; }
data-pack -q --synthetic shapes --synthetic-count 20 --image-size 16 -o shapes.h5
vae-train -q shapes.h5 --net conv --channels 8,16 --latent-dim 8 --epochs 30 -o vae.h5
frames() { head -c $((13 * ${2:-0} + 768 * ${2:-0} + 781)) "$1" | tail -c 781; }

# ---- between seeds
status 0 interpolate vae.h5 --seeds 1,7,9 --frames 5 --format ppm -o way.ppm
status 0 test "$(stat -c %s way.ppm)" = $((5 * 781))
status 0 sample vae.h5 --seeds 1,7,9 --format ppm -o ends.ppm
for pair in '0 0' '2 1' '4 2'; do
  read -r frame seed <<<"$pair"
  status 0 cmp <(frames way.ppm "$frame") <(frames ends.ppm "$seed")
done
status 1 cmp -s <(frames way.ppm 1) <(frames way.ppm 2)
for batch in 1 3 61; do
  for threads in 1 2; do
    status 0 interpolate vae.h5 --seeds 1,7,9 --frames 5 --format ppm --batch-size $batch -j $threads -o again.ppm
    status 0 cmp way.ppm again.ppm
  done
done
interpolate vae.h5 --seeds 1,7,9 --frames 5 --format ppm >again.ppm
status 0 cmp way.ppm again.ppm
status 0 interpolate vae.h5 --seeds 1,7,9 --frames 5 --mode slerp -o slerp.ppm
status 0 cmp way.ppm slerp.ppm
status 0 interpolate vae.h5 --seeds 1,7,9 --frames 5 --mode lerp -o lerp.ppm
status 1 cmp -s way.ppm lerp.ppm
status 0 cmp <(frames lerp.ppm 2) <(frames way.ppm 2)
# Round and round: three points in six frames, none twice.
status 0 interpolate vae.h5 --seeds 1,7,9 --frames 6 --loop -o loop.ppm
for i in 0 1 2; do status 0 cmp <(frames loop.ppm $((2 * i))) <(frames ends.ppm $i); done
status 0 interpolate vae.h5 --seeds 1,7 --extrapolate 0.5 --frames 5 -o far.ppm
status 0 interpolate vae.h5 --seeds 1,7 --frames 3 -o near.ppm
status 0 cmp <(frames far.ppm 2) <(frames near.ppm 1)
status 1 cmp -s <(frames far.ppm 0) <(frames near.ppm 0)

# ---- at the pace of pictures: the same ends, smaller largest steps, for any batch and threads
status 0 interpolate vae.h5 --seeds 1,7 --frames 9 --pace pictures -o even.ppm
status 0 cmp <(frames even.ppm 0) <(frames ends.ppm 0)
status 0 cmp <(frames even.ppm 8) <(frames ends.ppm 1)
status 0 interpolate vae.h5 --seeds 1,7 --frames 9 --pace latents -o again.ppm
largest_step() { /usr/bin/python3 - "$1" <<'P'
import sys
raw = open(sys.argv[1], "rb").read()
rows = [raw[i + 13:i + 781] for i in range(0, len(raw), 781)]
steps = [sum((a - b) ** 2 for a, b in zip(x, y)) ** 0.5 for x, y in zip(rows, rows[1:])]
print(max(steps) * len(steps) / sum(steps))
P
}
printf 'summary: largest step of a VAE in mean steps: %.3f, at the pace of latents %.3f\n' "$(largest_step even.ppm)" "$(largest_step again.ppm)"
status 0 awk -v even="$(largest_step even.ppm)" -v latents="$(largest_step again.ppm)" 'BEGIN { exit !(even < 1.2 && even < latents) }'
for batch in 1 4; do
  status 0 interpolate vae.h5 --seeds 1,7 --frames 9 --pace pictures --batch-size $batch -j $batch -o again.ppm
  status 0 cmp even.ppm again.ppm
done
status 0 interpolate vae.h5 --seeds 1,7 --frames 1 --pace pictures -o one.ppm
status 0 cmp one.ppm <(frames ends.ppm 0)
status 0 interpolate vae.h5 --seeds 1,7,9 --frames 6 --loop --pace pictures -o loop.ppm
status 0 cmp <(frames loop.ppm 0) <(frames ends.ppm 0)

# ---- every output
status 0 interpolate vae.h5 --seeds 1,7 --strip -o strip.png
status 0 interpolate vae.h5 --seeds 1,7 --grid 4x3 -o grid.png
status 0 bash -c 'interpolate vae.h5 --seeds 1,7 >nearly-square.png'
status 0 interpolate vae.h5 --seeds 1,7 -o way.h5
status 0 interpolate vae.h5 --seeds 1,7 --frames 3 -o way.tar
status 0 test "$(tar tf way.tar | wc -l)" = 3
# Width and height of a PNG, in pixels; gutters are 2 wide.
size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4 "x" $7 * 256 + $8 }'; }
gutter=$(sample vae.h5 --grid 9x1 -o nine.png && size nine.png)
status 0 test "$(size strip.png)" = "$gutter"
sample vae.h5 --grid 4x3 -o twelve.png
status 0 test "$(size grid.png)" = "$(size twelve.png)"
status 0 model-info --check --tensors way.h5
stdout_has '/images.*u8.*\[60,16,16,3\]'

# ---- between pictures and vectors
status 0 sample vae.h5 --reconstruct shapes.h5 --format ppm -o pairs.ppm
status 0 interpolate vae.h5 --from shapes.h5 --to shapes.h5 --to-index 3 --frames 3 -o pictures.ppm
status 0 cmp <(frames pictures.ppm 0) <(frames pairs.ppm 1)
status 0 cmp <(frames pictures.ppm 2) <(frames pairs.ppm 7)
img2vec -q -m vae.h5 shapes.h5 -o vectors.h5
status 0 interpolate vae.h5 --from vectors.h5 --to vectors.h5 --to-index 3 --frames 3 -o vectors.ppm
status 0 cmp vectors.ppm pictures.ppm
status 0 interpolate vae.h5 --from vectors.h5 --to shapes.h5 --to-index 3 --frames 3 -o vectors.ppm
status 0 cmp vectors.ppm pictures.ppm
status 0 bash -c 'img2vec -q -m vae.h5 shapes.h5 --limit 4 | interpolate vae.h5 --vectors - --frames 7 -o through.ppm'
for i in 0 1 2 3; do status 0 cmp <(frames through.ppm $((2 * i))) <(frames pairs.ppm $((2 * i + 1))); done
status 0 interpolate - --seeds 1,7,9 --frames 5 -o piped.ppm < <(cat vae.h5)
status 0 cmp piped.ppm way.ppm
head -c 781 pairs.ppm >a.ppm
frames pairs.ppm 6 >b.ppm
status 0 interpolate vae.h5 --from a.ppm --to - --frames 3 -o files.ppm <b.ppm
status 0 cmp files.ppm pictures.ppm
# Pictures of other sizes are prepared as the model's own were; halves will do.
data-pack -q --synthetic shapes --synthetic-count 2 --image-size 20 -o twenty.h5
status 0 interpolate vae.h5 --from twenty.h5 --to shapes.h5 --strip -o sizes.png
img2vec -q -m vae.h5 shapes.h5 --dtype f16 -o half.h5
status 0 interpolate vae.h5 --vectors half.h5 --strip -o half.png
if python -c 'import h5py, numpy' 2>/dev/null; then
  # Vectors of another program: arithmetic on ours.
  status 0 python - <<'P'
import h5py, numpy as np
rows = h5py.File("vectors.h5")["vectors"][:]
with h5py.File("made.h5", "w") as file:
    file.attrs["format"] = np.bytes_("atelier")
    file.attrs["format_version"] = np.array([1, 0], "u4")
    file.attrs["kind"] = np.bytes_("vectors")
    made = file.create_dataset("vectors", data=np.stack([rows[0], rows[0] + rows[1] - rows[2]]))
    made.attrs.update({"metric": np.bytes_("l2"), "normalized": np.uint8(0), "model": np.bytes_("")})
P
  status 0 interpolate vae.h5 --vectors made.h5 --frames 3 -o made.ppm
  status 0 cmp <(frames made.ppm 0) <(frames pairs.ppm 1)
else
  echo 'skipped: vectors of another program: h5py is not installed'
fi

# ---- diffusion models: ends are what sample draws, to the byte
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o eight.h5
ddpm-train -q eight.h5 --net mlp --embed-dim 16 --depth 1 --batch-size 20 --steps 40 -o ddpm.h5
small() { head -c $((203 * $2 + 203)) "$1" | tail -c 203; }
for sampler in ddim dpm2m heun; do
  how=(--sampler "$sampler" --sample-steps 6)
  status 0 sample ddpm.h5 --seeds 1,7,9 "${how[@]}" --format ppm -o ends.ppm
  status 0 interpolate ddpm.h5 --seeds 1,7,9 --frames 5 "${how[@]}" -o noise.ppm
  for i in 0 1 2; do status 0 cmp <(small ends.ppm $i) <(small noise.ppm $((2 * i))); done
  status 1 cmp -s <(small noise.ppm 1) <(small noise.ppm 2)
  status 0 interpolate ddpm.h5 --seeds 1,7,9 --frames 5 "${how[@]}" --batch-size 2 -j 3 -o again.ppm
  status 0 cmp noise.ppm again.ppm
done
status 0 interpolate ddpm.h5 --seeds 1,7,9 --frames 6 --loop --sample-steps 6 --mode lerp -o loop.h5
status 0 interpolate ddpm.h5 --seeds 1,7 --sample-steps 6 --strip -o noise.png

# ---- between pictures, through their noise: the ends are the pictures, the better the more steps
data-pack -q eight.h5 --limit 8 -o few.h5
for steps in 10 50 250; do
  status 0 interpolate ddpm.h5 --from few.h5 --to few.h5 --to-index 7 --frames 2 --sample-steps $steps \
    --timestep-spacing linspace -o back.$steps.h5
done
status 0 python3 -c 'import h5py, sys
given = h5py.File("few.h5")["images"][:].astype(float)
def error(steps):
    back = h5py.File("back.%d.h5" % steps)["images"][:].astype(float)
    return max(((back[0] - given[0]) ** 2).mean(), ((back[1] - given[7]) ** 2).mean())
errors = [error(steps) for steps in (10, 50, 250)]
print("summary: D17 interpolate.sh: inverted and drawn again in 10, 50, 250 steps: mean square " +
      "%.1e, %.1e, %.1e of 255^2" % tuple(errors))
# D10 has 5.4e-5 at 250 steps, of pixels as -1..1, and allows half as much again.
sys.exit(not (errors[0] > errors[1] > errors[2] and errors[2] <= 1.5 * 5.4e-5 * 127.5 ** 2))'
cat stdout

# ---- classes: one for all frames
ddpm-train -q eight.h5 --net mlp --embed-dim 16 --depth 1 --class-conditional --batch-size 20 --steps 20 -o classes.h5
status 0 sample classes.h5 --seeds 1,7 --sample-steps 4 --class 1 --format ppm -o ends.ppm
status 0 interpolate classes.h5 --seeds 1,7 --sample-steps 4 --frames 3 -o of-first.ppm
for i in 0 1; do status 0 cmp <(small ends.ppm $i) <(small of-first.ppm $((2 * i))); done
status 0 sample classes.h5 --seeds 1,7 --sample-steps 4 --class square --guidance-scale 2 --format ppm -o ends.ppm
status 0 interpolate classes.h5 --seeds 1,7 --sample-steps 4 --class square --guidance-scale 2 --frames 3 -o guided.ppm
for i in 0 1; do status 0 cmp <(small ends.ppm $i) <(small guided.ppm $((2 * i))); done
status 0 interpolate classes.h5 --from few.h5 --to few.h5 --to-index 1 --sample-steps 4 --frames 3 --class square --guidance-scale 2 -o none.ppm
stderr_has '--guidance-scale: the ends are found by going to the noise and back'
status 0 interpolate classes.h5 --from few.h5 --to few.h5 --to-index 1 --sample-steps 4 --frames 3 -o none.ppm
status 0 interpolate classes.h5 --from few.h5 --to few.h5 --to-index 1 --sample-steps 4 --frames 3 --class none -o again.ppm
status 0 cmp none.ppm again.ppm
gan-train -q eight.h5 --net mlp --hidden-dim 8 --latent-dim 4 --class-conditional --val-samples 0 --steps 2 --batch-size 8 -o gan.h5
status 0 sample gan.h5 --seeds 1,7 --class triangle --format ppm -o ends.ppm
status 0 interpolate gan.h5 --seeds 1,7 --class triangle --frames 3 -o gan.ppm
for i in 0 1; do status 0 cmp <(small ends.ppm $i) <(small gan.ppm $((2 * i))); done

# ---- what a model or a file cannot do
ddpm-train -q eight.h5 --net mlp --embed-dim 8 --depth 1 --batch-size 20 --steps 2 --class-conditional --class-dropout-prob 0 -o always.h5
status 2 interpolate always.h5 --from few.h5 --to few.h5 -o x.png
stderr_has 'always.h5: draws no pictures without a class; expected --class'
refused 'few.h5: pictures of 16x16x3, but ddpm.h5 takes 8x8x3' interpolate ddpm.h5 --from few.h5 --to few.h5 --image-size 16 -o x.h5
refused 'ddpm.h5: this model draws no classes' interpolate ddpm.h5 --seeds 1,2 --class 1 -o x.h5
refused 'gan.h5: this model has no encoder' interpolate gan.h5 --from few.h5 --to few.h5 --class 1 -o x.h5
clip-train -q eight.h5 --targets labels --net conv --channels 4,8 --steps 2 -o cls.h5
refused 'cls.h5: this model has no decoder' interpolate cls.h5 --seeds 1,2 -o x.h5
data-pack -q --synthetic ring --synthetic-count 50 -o ring.h5
ddpm-train -q ring.h5 --embed-dim 8 --depth 1 --steps 2 -o points.h5
# Vectors: between seeds the ends are their samples, between rows of data what they were, about.
status 0 interpolate -q points.h5 --seeds 1,2 --frames 3 --sample-steps 20 -o way.h5
status 0 sample -q points.h5 --seeds 1,2 --sample-steps 20 -o ends.h5
status 0 interpolate -q points.h5 --from ring.h5 --to ring.h5 --to-index 1 --frames 2 --sample-steps 200 -o back.h5
check 'ends of ways between vectors' python3 -c 'import h5py, numpy, sys
way, ends, back, ring = (h5py.File(f"{name}.h5")["vectors"][:] for name in ("way", "ends", "back", "ring"))
sys.exit(bool(way.shape != (3, 2) or (way[[0, 2]] != ends).any() or abs(back - ring[:2]).max() > 0.01))'
status 0 interpolate -q points.h5 --seeds 1,2 --frames 3 --sample-steps 5 -o way.csv
refused 'ring.h5: has no row 50, it holds 50 from 0' interpolate points.h5 --from ring.h5 --to ring.h5 --to-index 50 --sample-steps 5 -o x.h5
status 2 interpolate points.h5 --seeds 1,2 --strip -o x.png
stderr_has '--strip: points.h5 makes no pictures'
vae-train -q shapes.h5 --net conv --channels 8,16 --latent-dim 8 --no-variational --steps 1 -o plain.h5
refused 'plain.h5: a plain autoencoder (variational false) has no prior' interpolate plain.h5 --seeds 1,2 --format png -o x.h5
status 0 interpolate plain.h5 --from shapes.h5 --to shapes.h5 --to-index 1 --strip -o plain.png
refused 'vectors.h5: vectors of other weights than those of plain.h5' interpolate plain.h5 --vectors vectors.h5 -o x.h5
vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 1 -o other.h5
refused 'vectors.h5: vectors of 8 numbers, but other.h5 decodes 2' interpolate other.h5 --vectors vectors.h5 -o x.h5
img2vec -q -m vae.h5 shapes.h5 --normalize -o unit.h5
refused 'unit.h5: normalized vectors, whose lengths are lost, cannot be decoded' interpolate vae.h5 --vectors unit.h5 -o x.h5
refused 'vectors.h5: has no vector 20, it holds 20 from 0' interpolate vae.h5 --from vectors.h5 --from-index 20 --to shapes.h5 -o x.h5
refused 'shapes.h5: has no picture 20' interpolate vae.h5 --from shapes.h5 --to shapes.h5 --to-index 20 -o x.h5
refused 'missing.png: cannot open' interpolate vae.h5 --from missing.png --to shapes.h5 -o x.h5
refused 'twenty.h5: pictures of 20x20x3, but vae.h5 takes 16x16x3' interpolate vae.h5 --from twenty.h5 --to shapes.h5 --image-size 20 -o x.h5
refused 'shapes.h5: expected kind checkpoint, found kind images' interpolate shapes.h5 --seeds 1,2 -o x.h5
refused 'shapes.h5: expected kind vectors, found kind images' interpolate vae.h5 --vectors shapes.h5 -o x.h5
img2vec -q -m vae.h5 shapes.h5 --limit 1 -o single.h5
refused 'single.h5: expected at least two vectors' interpolate vae.h5 --vectors single.h5 -o x.h5

# ---- words that make no sense
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 interpolate vae.h5 $words
  stderr_has "$message"
done <<'T'
-o x.png|expected --from and --to, --vectors, or --seeds
--seeds 1,2 --vectors vectors.h5 -o x.png|and only one of these
--from shapes.h5 -o x.png|--from and --to: expected both
--seeds 1 -o x.png|--seeds 1: expected at least two
--seeds x -o x.png|--seeds 'x'
--seeds 1,2 --mode cubic -o x.png|--mode 'cubic': expected lerp, slerp
--seeds 1,2 --pace even -o x.png|--pace 'even': expected latents, pictures
--seeds 1,2 --frames 0 -o x.png|--frames 0: expected at least 1
--seeds 1,2 --frames 13 --grid 4x3 -o x.png|--grid 4x3: has 12 cells for 13 frames
--seeds 1,2 --strip --grid 4x3 -o x.png|--strip and --grid exclude each other
--seeds 1,2 --strip -o x.ppm|--strip goes with png, not with ppm
--seeds 1,2 --strip --frames 20000 -o x.png|--frames of a --strip '20000x1'
--seeds 1,2 --grid 4x3 -o x.h5|--grid 4x3: goes with png, not with hdf5
--seeds 1,2 --loop --extrapolate 1 -o x.png|--extrapolate and --loop exclude each other
--seeds 1,2 --extrapolate -1 -o x.png|--extrapolate: expected a factor from 0 to 1000
--seeds 1,2 --from-index 1 -o x.png|--from-index goes with --from and --to
--seeds 1,2 --image-size 16 -o x.png|--image-size goes with --from and --to
--seeds 1,2 --frames 70000 -o x.png|a png grid holds at most 65536 pictures
--seeds 1,2 --sampler ddim -o x.png|--sampler is about samples of diffusion models, vae.h5 is none
--seeds 1,2 --sampler ddpm -o x.png|--sampler 'ddpm': expected ddim, dpm2m, heun
--seeds 1,2 --class 1.5 -o x.png|--class '1.5': expected a class, from 0, or none
--seeds 1,2 --timesteps 1 --sample-steps 1 -o x.png|--timesteps and --sample-steps exclude each other
--from - --to - -o x.png|'-' twice: standard input can be read once only
--from shapes.h5 --to shapes.h5 -o shapes.h5|would replace what is read
--seeds 1,2 -o x.gif|x.gif
T
status 2 interpolate --vectors - -o x.png
stderr_has "'-' twice"
status 0 test ! -e x.png

# ---- odd shapes
for channels in 1 2 4 7; do
  data-pack -q --synthetic noise --synthetic-count 2 --image-height 48 --image-width 80 --image-channels $channels -o odd.h5
  vae-train -q odd.h5 --net conv --channels 4,6 --latent-dim 3 --likelihood gaussian --steps 1 -o odd.model.h5
  status 0 interpolate odd.model.h5 --from odd.h5 --to odd.h5 --to-index 1 --frames 4 --batch-size 3 -o odd.way.h5
  status 0 interpolate odd.model.h5 --from odd.h5 --to odd.h5 --to-index 1 --frames 4 --batch-size 1 -o odd.again.h5
  status 0 cmp odd.way.h5 odd.again.h5
  if [ $channels -gt 4 ]; then
    status 2 interpolate odd.model.h5 --seeds 0-2 --strip -o odd.png
    stderr_has 'cannot hold 7 channels; use hdf5'
  else
    status 0 interpolate odd.model.h5 --seeds 0-2 --strip -o odd.png
  fi
done
status 2 interpolate odd.model.h5 --seeds 0-2 -o odd.ppm
stderr_has '--format ppm: cannot hold 7 channels'

# ---- readers that go away, full disks, terminals
for format in png ppm hdf5 tar; do
  status 141 unread interpolate vae.h5 --seeds 1,2 --format $format
  status 0 test ! -s stderr
  status 1 bash -c "interpolate vae.h5 --seeds 1,2 --format $format >/dev/full"
  stderr_has 'interpolate: standard output: cannot write: No space left on device'
  status 0 test "$(wc -l <stderr)" = 1
done
interpolate vae.h5 --seeds 1,2 --frames 3000 --format ppm 2>stderr | head -c 10 >/dev/null
status 0 test ! -s stderr
if command -v script >/dev/null; then
  status 2 script -qec 'interpolate vae.h5 --seeds 1,2' /dev/null
  stdout_has 'interpolate: standard output is a terminal; give -o FILE'
fi
finish
