#!/bin/bash
# Every loss of gan-train, and the penalties that go with it, on Fashion-MNIST at 32x32 with one recipe:
# DCGAN of width 32, Adam 2e-4 with beta1 0.5, batch 64, 150,000 pictures read by the discriminator, 600,000
# where it steps five times (the item critics). 10,000 samples of the averaged generator each, in the
# features of a classifier and in 64 principal components, beside pictures drawn from the Gaussian of the
# training pixels.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
for part in train t10k; do
  [ -e $part.h5 ] || data-pack -q "$fashion/$part-images-idx3-ubyte.gz" --labels "$fashion/$part-labels-idx1-ubyte.gz" --image-size 32 -o $part.h5
done
clip-train -q -c "$source_dir/share/recipes/classifier-28.toml" train.h5 --val-data t10k.h5 --epochs 6 --run-dir run-classifier --resume --save-every 2m -o classifier.h5
recipe=(--net dcgan --base-channels 32 --lr-schedule constant --learning-rate 2e-4 --batch-size 64
  --ema-decay 0.999 --val-every 300 --sample-every 600 --seed 0)
names=()
# trained NAME DISCRIMINATOR_STEPS OPTION...
trained() {
  local name=$1 each=$2
  shift 2
  names+=("$name")
  local steps=$((each > 1 ? 600000 / 64 / each : 150000 / 64))
  gan-train -q train.h5 "${recipe[@]}" --discriminator-steps "$each" "$@" --steps "$steps" --run-dir "run-$name" --resume --save-every 2m -o "$name.h5"
  for features in classifier.h5 pca:64; do
    [ -s "$name-$features.json" ] && continue
    [ -e "$name-made.h5" ] || sample -q "$name.h5" -n 10000 --format hdf5 -o "$name-made.h5"
    control=()
    [ "${#names[@]}" -gt 1 ] || control=(--control)
    model-eval -q "$name-made.h5" --reference train.h5 --unseen t10k.h5 --features "$features" "${control[@]}" \
      --nearest "$name-nearest.png" --json >part.json
    mv part.json "$name-$features.json"
  done
  [ -e "$name.png" ] || sample -q "$name.h5" -n 64 -o "$name.png"
}
if [ "$(basename "$0")" = critics.sh ]; then
  trained wgan 5 --loss wasserstein --weight-clip 0.01 --optimizer rmsprop
  recipe+=(--adam-beta1 0.5)
  trained wgan-gp 5 --loss wasserstein --penalty gradient --adam-beta2 0.9
  trained wgan-one-sided 5 --loss wasserstein --penalty gradient --one-sided-penalty --adam-beta2 0.9
  beat=(wgan-gp)
else
  recipe+=(--adam-beta1 0.5)
  trained minimax 1 --loss minimax
  trained non-saturating 1 --loss non-saturating
  trained smoothed 1 --loss non-saturating --label-smoothing 0.1
  trained instance-noise 1 --loss non-saturating --instance-noise 0.5 --instance-noise-steps 1500
  trained least-squares 1 --loss least-squares
  trained hinge 1 --loss hinge
  trained unrolled 1 --loss minimax --unroll-steps 1 --discriminator-norm layer
  trained dragan 1 --loss non-saturating --penalty dragan
  trained r1 1 --loss non-saturating --penalty r1
  trained hinge-gradient 1 --loss hinge --penalty gradient
  trained least-squares-gradient 1 --loss least-squares --penalty gradient
  beat=(non-saturating hinge)
fi
python3 - "${names[@]}" <<'P'
import json, sys
names = sys.argv[1:]
keys = ("frechet", "kernel", "precision", "recall", "density", "coverage", "nearer_prob", "copying_z")
for features in "classifier.h5", "pca:64":
    first = json.load(open(f"{names[0]}-{features}.json"))
    print(f"{features}: {first['features']}")
    print(f"{'':24}" + "".join(f"{key:>12}" for key in keys))
    row = lambda name, values: print(f"{name:24}" + "".join(f"{v:12.4f}" if v is not None else f"{'':>12}" for v in values))
    row("Gaussian control", [first.get("control_" + key) for key in keys])
    for name in names:
        figures = json.load(open(f"{name}-{features}.json"))
        row(name, [figures.get(key) for key in keys])
print()
print(f"{'':24}{'best at':>10}{'frechet':>10}{'at end':>10}{'least coverage':>16}{'at':>8}{'at end':>10}")
for name in names:
    told = [r for r in map(json.loads, open(f"run-{name}/metrics.jsonl")) if "val_frechet" in r]
    best = min(told, key=lambda r: r["val_frechet"])
    least = min(told[len(told) // 4:], key=lambda r: r["val_coverage"])
    print(f"{name:24}{best['step']:10}{best['val_frechet']:10.2f}{told[-1]['val_frechet']:10.2f}{least['val_coverage']:16.3f}{least['step']:8}{told[-1]['val_coverage']:10.3f}")
P
frechet() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "-classifier.h5.json"))[sys.argv[2]])' "$@"; }
for name in "${beat[@]}"; do
  at_most "$name: Frechet distance in the classifier's features, below that of the Gaussian" "$(frechet "$name" frechet)" "$(frechet "${names[0]}" control_frechet)"
done
[ "$misses" = 0 ]
