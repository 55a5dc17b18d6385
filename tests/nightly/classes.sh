#!/bin/bash
# An hour of two cores, or less, of diffusion training by class on MNIST (of ATELIER_DATA) padded to
# 32x32: how often the classifier names the class that a sample was asked for, without guidance and with
# guidance of 2.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
packed_padded mnist "$data/mnist"
clip-train -q -c "$source_dir/share/recipes/classifier-28.toml" mnist-train.h5 --val-data mnist-t10k.h5 --epochs 6 --run-dir run-classifier --resume --save-every 2m -o classifier.h5
[ -s real.json ] || { model-eval -q mnist-t10k.h5 --classifier classifier.h5 --json >part && mv part real.json; }
# By the item presets: as many updates whatever the machine.
epochs=${ATELIER_CLASS_EPOCHS:-6}
ddpm-train -q mnist-train.h5 --preset unet-32 --class-conditional --lr-schedule cosine --epochs "$epochs" \
  --val-data mnist-t10k.h5 --run-dir run --resume --save-every 5m -o model.h5
for epoch in $(seq "$epochs"); do echo "error of v after epoch $epoch: $(metric run/metrics.jsonl $((epoch * 938)) val_mse)"; done
training_time run/metrics.jsonl
count=2000
for scale in 1 2; do
  if [ ! -s made-$scale.json ]; then
    sample -q model.h5 -n $count --sampler dpm2m --sample-steps 20 --guidance-scale $scale --format hdf5 -o made-$scale.h5
    model-eval -q made-$scale.h5 --classifier classifier.h5 --reference mnist-train.h5 --features classifier.h5 --bootstrap 0 --json >part
    mv part made-$scale.json
  fi
  sample -q model.h5 -n 100 --grid 10x10 --sampler dpm2m --sample-steps 20 --guidance-scale $scale -o grid-$scale.png
done
value() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + ".json"))[sys.argv[2]])' "$1" "$2"; }
echo "the classifier on real test pictures: $(value real class_accuracy)"
for scale in 1 2; do
  echo "guidance $scale: accuracy $(value made-$scale class_accuracy), Frechet $(value made-$scale frechet), recall $(value made-$scale recall)"
done
at_least 'accuracy, guidance 1' "$(value made-1 class_accuracy)" 0.90
errors=$(python3 - $count "$(value made-1 class_accuracy)" "$(value made-2 class_accuracy)" <<'P'
import sys
n, a, b = int(sys.argv[1]), *map(float, sys.argv[2:])
print((b - a) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5)
P
)
at_least 'guidance 2 above 1, in standard errors' "$errors" 3
[ "$misses" = 0 ]
