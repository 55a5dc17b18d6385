#!/bin/bash
# Pictures from noise and back by DDIM: how the error of going to the noise and back falls with the
# steps, on eight Gaussians (the model of the item ring-diffusion) and on avatars (that of
# avatars-generators); and the way between two avatars, which must have no jumps: its largest step
# between frames is at most three times the mean, and as frames are placed for it at most 1.5. At the
# pace of latents, told beside it, a way from one style of drawing to the other jumps where the style
# changes: the data have nothing between.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
ring=../ring-diffusion/m10000.h5 unet=../avatars-generators/unet.h5
for file in $ring $unet; do
  [ -e "$file" ] || { echo "skipped: no $file: run its item first"; exit 77; }
done
value() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
back() {  # back NAME MODEL DATA STEPS LIMIT
  [ -s "$1-$4.json" ] || { model-eval -q "$3" --limit "$5" --denoising "$2" --inversion-steps "$4" --json >part && mv part "$1-$4.json"; }
  value "$1-$4.json" inversion_mse
}
last=
for steps in 10 20 50 100 250; do
  now=$(back ring $ring ../ring-diffusion/ring.h5 $steps 2000)
  echo "ring, $steps steps to the noise and back: mean square error $now, of avatars $(back avatars $unet ../avatars-generators/train.h5 $steps 32)"
  [ -z "$last" ] || at_most "ring, error at $steps steps" "$now" "$last"
  last=$now
done
# Second order, as far as the network's own roughness allows: five times the steps, at most a tenth.
at_most 'ring, error at 250 steps in errors at 50' "$(awk "BEGIN { print $last / $(value ring-50.json inversion_mse) }")" 0.1
largest_step() { python3 - "$1" <<'P'
import sys, h5py, numpy
frames = h5py.File(sys.argv[1])["images"][:].astype(float)
steps = numpy.sqrt(((frames[1:] - frames[:-1]) ** 2).mean(axis=(1, 2, 3)))
print(round(steps.max() / steps.mean(), 3))
P
}
for pair in 0,1 7,300 42,1500; do
  ends=(--from ../avatars-generators/train.h5 --to ../avatars-generators/train.h5 --from-index "${pair%,*}" --to-index "${pair#*,}")
  for pace in latents pictures; do
    way=(interpolate -q "$unet" "${ends[@]}" --pace "$pace" --sample-steps 100)
    "${way[@]}" --frames 17 -o "walk-$pair-$pace.h5"
    "${way[@]}" --strip -o "walk-$pair-$pace.png"
  done
  echo "avatars $pair, at the pace of latents: largest step in mean steps $(largest_step "walk-$pair-latents.h5")"
  at_most "avatars $pair, at the pace of pictures: largest step in mean steps" "$(largest_step "walk-$pair-pictures.h5")" 1.5
done
[ "$misses" = 0 ]
