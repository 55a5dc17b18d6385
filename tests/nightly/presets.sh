#!/bin/bash
# What the presets ask of this machine: parameters, memory, and seconds a step with two threads, on
# pictures of the size that each is meant for. The machine must be idle.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# packed FILE SIZE CHANNELS: pictures in ten classes.
packed() {
  seq 1024 | awk '{ print $1 % 10 }' >labels.txt
  [ -e "$1" ] || data-pack -q --synthetic noise --labels labels.txt --synthetic-count 1024 --image-size "$2" --image-channels "$3" -o "$1"
}
packed 28.h5 28 1
packed 32.h5 32 3
packed 64.h5 64 3
[ -e shapes.h5 ] || data-pack -q --synthetic shapes --synthetic-count 1024 --image-size 64 -o shapes.h5
needs_idle_machine
printf '%-12s %-10s %11s %10s %7s %12s\n' tool preset parameters memory batch 's a step'
# timed TOOL PRESET DATA [OPTION...]
timed() {
  local said
  said=$("$1" "$3" --preset "$2" "${@:4}" --steps 1000 --dry-run -j 2 -q)
  value() { sed -n "s/^$1: //p" <<<"$said"; }
  local batch
  batch=$("$1" "$3" --preset "$2" "${@:4}" --print-config | sed -n 's/^batch-size = //p')
  printf '%-12s %-10s %11s %10s %7s %12s\n' "$1" "$2" "$(value parameters)" "$(value 'memory of a step' | tr -d ' ')" \
    "$batch" "$(value 'seconds a step')"
}
for preset in mnist-fc linear; do timed vae-train $preset 28.h5; done
for preset in conv32 avatars; do timed vae-train $preset 32.h5; done
timed clip-train conv-28 28.h5 --targets labels
timed clip-train vit-28 28.h5
timed clip-train small-64 shapes.h5
timed gan-train dcgan 64.h5
timed gan-train wgan-gp 32.h5
timed gan-train dcgan-32 32.h5
for preset in unet-32 dit-32; do timed ddpm-train $preset 32.h5; done
