#!/bin/bash
# Odd shapes through every tool, resumption included: pictures that are not square, channel counts
# that no file format knows, batches of 1, 3 and 61, kernels of 5x5, last batches that are not full,
# a data set of one example. Runs stopped after every update end in the bytes of a straight run.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

height=48 width=80

# packed NAME COUNT CHANNELS: pictures of noise in two classes.
packed() {
  for ((i = 0; i < $2; i++)); do echo $((i % 2)); done >"$1.txt"
  status 0 data-pack -q --synthetic noise --labels "$1.txt" --synthetic-count "$2" --image-height $height --image-width $width --image-channels "$3" -o "$1.h5"
}

# resumed NAME STEPS TOOL OPTION...: a straight run, and one that is stopped after every update.
resumed() {
  local name=$1 steps=$2 tool=$3
  shift 3
  local train=("$name.h5" "$@" --steps "$steps" --ema-decay 0.9)
  status 0 "$tool" -q "${train[@]}" --run-dir "$name.straight" -o "$name.model.h5"
  local attempt
  for attempt in $(seq $((steps + 3))); do
    "$tool" -q "${train[@]}" --run-dir "$name.broken" --resume --max-time 0.0001s -o "$name.resumed.h5" 2>stderr && break
  done
  last="$name: resumed run"
  # Each process does one update; the last one also ends the run.
  status 0 test "$attempt" = "$steps"
  status 0 cmp "$name.model.h5" "$name.resumed.h5"
  status 0 cmp "$(newest "$name.straight")" "$(newest "$name.broken")"
}

# sampled NAME CHANNELS OPTION...: seeds in batches and alone, by one thread and by three, grids, what is in the files.
sampled() {
  local name=$1 channels=$2
  shift 2
  status 0 sample "$name.model.h5" "$@" --seeds 0-4 --batch-size 3 -j 1 -o "$name.samples.h5"
  status 0 sample "$name.model.h5" "$@" --seeds 3-4 -j 3 -o "$name.two.h5"
  if [ "$channels" -gt 4 ]; then
    status 2 sample "$name.model.h5" "$@" -n 5 --grid 3x2 -o "$name.png"
    stderr_has "--format png: cannot hold $channels channels; use hdf5"
  else
    status 0 sample "$name.model.h5" "$@" -n 5 --grid 3x2 -o "$name.png"
    status 0 test "$(head -c 4 "$name.png" | tail -c 3)" = PNG
    # The colour type: grey, coloured, both with alpha.
    status 0 test "$(od -An -tu1 -j25 -N1 "$name.png" | tr -d ' ')" = "$(echo 0 4 2 6 | cut -d' ' -f"$channels")"
  fi
  status 0 model-info --check "$name.model.h5" "$name.samples.h5" "$name.h5"
  stdout_has "config.in_channels: $channels"
  stdout_has "config.image_height: $height"
  stdout_has "config.image_width: $width"
  status 0 h5dump -y -d "/images[3,0,0,0;;2,$height,$width,$channels;]" -o "$name.a" "$name.samples.h5"
  status 0 h5dump -y -d /images -o "$name.b" "$name.two.h5"
  status 0 cmp <(tr -d ' ,\n' <"$name.a") <(tr -d ' ,\n' <"$name.b")
}

# through NAME COUNT CHANNELS BATCH STEPS OPTION...: an autoencoder; pack, train, stop and resume,
# sample, look.
through() {
  local name=$1 count=$2 channels=$3 batch=$4 steps=$5
  shift 5
  packed "$name" "$count" "$channels"
  resumed "$name" "$steps" vae-train "$@" --latent-dim 3 --likelihood gaussian --batch-size "$batch"
  sampled "$name" "$channels"
  status 0 sample "$name.model.h5" --reconstruct "$name.h5" -n 3 --batch-size 2 -o "$name.pairs.h5"
  status 0 model-eval "$name.h5" --reconstruct "$name.model.h5" --batch-size 2
  stdout_has '^ssim: '
  status 0 model-eval "$name.h5" --likelihood "$name.model.h5" --draws 2
  if [ "$count" -gt 1 ]; then
    status 0 model-eval "$name.h5" --reference "$name.h5" --bootstrap 2 --control
    stdout_has '^control_frechet: '
    status 0 model-eval "$name.h5" --probe "$name.h5" -j 1
    cp stdout "$name.probe"
    status 0 model-eval "$name.h5" --probe "$name.h5" -j 3
    stdout_is "$(cat "$name.probe")\n"
    status 0 model-eval --baselines "$name.h5"
    stdout_has '^context_histogram_bits: '
  fi
}

# adversaries NAME COUNT CHANNELS BATCH STEPS OPTION..., and noised: the same of the others.
adversaries() {
  local name=$1 channels=$3 steps=$5 batch=$4
  packed "$name" "$2" "$channels"
  resumed "$name" "$steps" gan-train "${@:6}" --latent-dim 3 --val-samples 0 --batch-size "$batch"
  sampled "$name" "$channels"
}
noised() {
  local name=$1 channels=$3 steps=$5 batch=$4
  packed "$name" "$2" "$channels"
  resumed "$name" "$steps" ddpm-train "${@:6}" --num-timesteps 100 --batch-size "$batch"
  sampled "$name" "$channels" --sample-steps 2
}

newest() { find "$1" -name 'step-*.h5' | sort | tail -1; }

conv=(--net conv --channels '4,6')
through grey 7 1 3 4 "${conv[@]}" --kernel-size 5
through pair 4 2 1 3 "${conv[@]}" --norm group
through alpha 130 4 61 4 "${conv[@]}"
through seven 5 7 3 3 "${conv[@]}" --kernel-size 5 --norm none
through wide 64 7 61 3 --net fc --hidden-dim 9
# The grids of a training show the first three of seven channels.
status 0 vae-train -q wide.h5 --net fc --hidden-dim 9 --likelihood gaussian --steps 1 --run-dir drawn --sample-every 1 --sample-grid 2x2
status 0 test "$(od -An -tu1 -j25 -N1 drawn/samples/step-00000001.png | tr -d ' ')" = 2
through one 1 3 61 3 "${conv[@]}" --kernel-size 3
through only 1 1 1 3 --net fc --hidden-dim 5

# Towers, by captions in slices and with convolutions, and what they see.
tower=(--projection-dim 4 --text-embed-dim 8 --text-depth 1 --text-num-heads 2 --vocab-size 300 --context-length 9)
status 0 data-pack -q --synthetic shapes --synthetic-count 13 --image-height $height --image-width $width -o captioned.h5
status 0 clip-train -q captioned.h5 "${tower[@]}" --patch-size 16 --embed-dim 8 --depth 1 --num-heads 2 --batch-size 6 --grad-accum-steps 3 --steps 3 -o tower.h5
status 0 model-eval captioned.h5 --reference captioned.h5 --features tower.h5 --bootstrap 0
status 0 clip-train -q captioned.h5 "${tower[@]}" --net conv --channels 4,6 --batch-size 5 --steps 3 -o tower.h5
status 0 clip-train -q seven.h5 --targets labels --net conv --channels 4,6 --batch-size 3 --steps 2 -o tower.h5
status 0 model-eval seven.h5 --probe seven.h5 --features tower.h5

# Small pictures in colour: the default works with a last batch of one and with batches of one.
height=8 width=8
through tiny 65 3 64 3
through least 1 3 1 3
status 0 vae-train tiny.h5 -b 1 -n
status 2 vae-train tiny.h5 --norm batch -o refused.h5 --run-dir refused
stderr_has "tiny.h5: --norm batch needs two values a channel, but pictures of 8x8 leave one pixel, and --batch-size a batch of one"
status 2 vae-train tiny.h5 --norm batch -n
status 0 test ! -e refused
status 0 vae-train -q tiny.h5 --norm batch --batch-size 63 --steps 1 -o batch.h5

# The networks of generators halve odd sides too.
height=48 width=80
dcgan=(--net dcgan --base-channels 2)
adversaries gan-grey 2 1 1 2 "${dcgan[@]}"
adversaries gan-pair 4 2 3 2 "${dcgan[@]}" --kernel-size 5 --loss wasserstein --penalty gradient --discriminator-steps 2
adversaries gan-alpha 62 4 61 2 "${dcgan[@]}" --loss hinge
adversaries gan-seven 5 7 3 2 --net mlp --hidden-dim 4
unet=(--net unet --base-channels 4 --channel-mult '1,1,2' --attention-sizes 20)
noised ddpm-grey 2 1 1 2 "${unet[@]}"
noised ddpm-pair 4 2 3 2 "${unet[@]}" --prediction-type v --beta-schedule cosine
noised ddpm-seven 5 7 3 2 "${unet[@]}" --variance-type learned-range --loss hybrid
noised ddpm-patches 62 4 61 2 --net dit --patch-size 9 --embed-dim 8 --depth 1 --num-heads 2
height=17 width=13
adversaries gan-prime 5 1 4 2 "${dcgan[@]}" --class-conditional
noised ddpm-prime 5 1 4 2 "${unet[@]:0:6}" --attention-sizes 9 --class-conditional
noised ddpm-cells 5 1 4 2 --net dit --patch-size 5 --embed-dim 8 --depth 1 --num-heads 2 --class-conditional
height=9 width=13
adversaries gan-odd 7 3 3 3 "${dcgan[@]}"
noised ddpm-odd 7 3 3 3 --net unet --base-channels 4 --channel-mult '1,1,2' --attention-sizes 7
finish
