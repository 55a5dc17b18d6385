#!/bin/bash
# The samplers at 5 to 250 evaluations of one model, the one of the item classes if that has run: Frechet
# distance of 2,048 samples in the classifier's features, and seconds.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
for name in model classifier train; do
  [ -e ../classes/$name.h5 ] || { echo "skipped: no ../classes/$name.h5: run classes first"; exit 77; }
done
count=2048
# drawn SAMPLER STEPS EVALUATIONS
drawn() {
  local name=$1-$3
  [ -s "$name.json" ] && return
  local start end
  start=$(date +%s.%N)
  sample -q ../classes/model.h5 -n $count --sampler "$1" --sample-steps "$2" --format hdf5 -o made.h5
  end=$(date +%s.%N)
  model-eval -q made.h5 --reference ../classes/train.h5 --features ../classes/classifier.h5 --bootstrap 0 --json >part
  awk "BEGIN { print $end - $start }" >"$name.seconds"
  mv part "$name.json"
  sample -q ../classes/model.h5 -n 64 --sampler "$1" --sample-steps "$2" -o "$name.png"
}
for evaluations in 5 10 15 20 50 250; do
  for sampler in ddpm ddim dpm2m; do drawn $sampler $evaluations $evaluations; done
  # Two evaluations for each timestep but the last.
  drawn heun $(((evaluations + 1) / 2)) $evaluations
done
frechet() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + ".json"))["frechet"])' "$1"; }
printf '%-12s' evaluations
for sampler in ddpm ddim dpm2m heun; do printf '%10s %8s' $sampler seconds; done
echo
for evaluations in 5 10 15 20 50 250; do
  printf '%-12s' $evaluations
  for sampler in ddpm ddim dpm2m heun; do
    printf '%10.3f %8.1f' "$(frechet $sampler-$evaluations)" "$(cat $sampler-$evaluations.seconds)"
  done
  echo
done
for evaluations in 5 10 20 50; do
  at_most "ddim below ddpm at $evaluations" "$(frechet ddim-$evaluations)" "$(frechet ddpm-$evaluations)"
done
echo "dpm2m at 15: $(frechet dpm2m-15), ddim at 50: $(frechet ddim-50) (aim: no worse)"
[ "$misses" = 0 ]
