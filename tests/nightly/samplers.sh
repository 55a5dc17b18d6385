#!/bin/bash
# The samplers at 5 to 250 evaluations of one model, that of the item classes: Frechet distance of 2,048
# samples in the classifier's features, and seconds of one thread, counted as processor time since one
# runs on each CPU.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
model=../classes/model.h5
for name in model classifier mnist-train; do
  [ -e ../classes/$name.h5 ] || { echo "skipped: no ../classes/$name.h5: run classes first"; exit 77; }
done
# What all distances are to: moments of the training pictures, once.
[ -e stats.h5 ] || model-eval -q ../classes/mnist-train.h5 --features ../classes/classifier.h5 --save-stats stats.h5
export model OMP_NUM_THREADS=1
# drawn SAMPLER STEPS EVALUATIONS
drawn() {
  local name=$1-$3
  [ -s "$name.json" ] && return
  local TIMEFORMAT='%U %S'
  { time sample -q $model -n 2048 --sampler "$1" --sample-steps "$2" --format hdf5 -o "$name.h5" 2>&3; } 3>&2 2>"$name.seconds"
  sample -q $model -n 64 --sampler "$1" --sample-steps "$2" -o "$name.png"
  model-eval -q "$name.h5" --reference stats.h5 --features ../classes/classifier.h5 --bootstrap 0 --json >"$name.part"
  mv "$name.part" "$name.json"
}
export -f drawn
# 250 evaluations are told, not judged, and come last; of the others the longest first.
for evaluations in 50 20 15 10 5 250; do
  for sampler in ddpm ddim dpm2m; do echo $sampler $evaluations $evaluations; done
  # Two evaluations for each timestep but the last.
  echo heun $(((evaluations + 1) / 2)) $evaluations
done | xargs -P "$(nproc --all)" -L 1 bash -eu -c 'drawn "$@"' drawn
frechet() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + ".json"))["frechet"])' "$1"; }
printf '%-12s' evaluations
for sampler in ddpm ddim dpm2m heun; do printf '%10s %8s' $sampler seconds; done
echo
for evaluations in 5 10 15 20 50 250; do
  printf '%-12s' $evaluations
  for sampler in ddpm ddim dpm2m heun; do
    printf '%10.3f %8.1f' "$(frechet $sampler-$evaluations)" "$(awk '{ print $1 + $2 }' $sampler-$evaluations.seconds)"
  done
  echo
done
for evaluations in 5 10 20 50; do
  at_most "ddim below ddpm at $evaluations" "$(frechet ddim-$evaluations)" "$(frechet ddpm-$evaluations)"
done
echo "dpm2m at 15: $(frechet dpm2m-15), ddim at 50: $(frechet ddim-50) (aim: no worse)"
[ "$misses" = 0 ]
