#!/bin/bash
# Half an hour of two GANs and of a diffusion model on the avatars of share/, 32x32: grids without a
# word beside them, and of the samples those that lie nearest to pictures that were trained on. The GANs
# are WGAN-GP, the best of the tables of losses and critics, where it reads four times as many pictures,
# and the preset, whose plain non-saturating loss is near the best of the others. The time is that of
# the training alone, in as many parts as it takes: ATELIER_AVATAR_TIME.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -e train.h5 ] || data-pack -q "$source_dir/share/avatars-cc0-32.tar.gz" -o train.h5
seconds=${ATELIER_AVATAR_TIME:-1800}
# spent FILE: seconds that the parts of a training have taken.
spent() { python3 - "$1" <<'P'
import json, os, sys
parts = []
for record in map(json.loads, open(sys.argv[1])) if os.path.exists(sys.argv[1]) else []:
    if "program" in record: parts.append(0)
    if "seconds" in record: parts[-1] = record["seconds"]
print(int(sum(parts)))
P
}
# trained NAME KEPT COMMAND...: until that time is spent; the model is the last checkpoint called so.
trained() {
  local name=$1 kept=$2 left status=0
  shift 2
  left=$((seconds - $(spent "run-$name/metrics.jsonl")))
  if [ $left -gt 5 ]; then
    "$@" --steps 1M --run-dir "run-$name" --resume --save-every 2m --log-every 100 --max-time ${left}s || status=$?
    [ $status = 75 ]
  fi
  cp "$(find "run-$name" -name "$kept" | sort | tail -n 1)" "$name.h5"
  sample -q "$name.h5" -n 64 --grid 8x8 -o "$name.png"
  sample -q "$name.h5" -n 2000 --format hdf5 -o made.h5
  model-eval -q made.h5 --reference train.h5 --features pca:64 --bootstrap 0 --nearest "$name-nearest.png" --json >"$name.json"
  python3 - "$name" "$(model-info "$name.h5" | sed -n 's/^state.step: //p')" "$(spent "run-$name/metrics.jsonl")" <<'P'
import json, sys
name, kept, seconds = sys.argv[1:]
records = [r for r in map(json.loads, open(f"run-{name}/metrics.jsonl")) if "step" in r]
print(f"{name}: {max(r['step'] for r in records)} steps in {seconds} s; kept: step {kept}")
told = {r["step"]: r["val_frechet"] for r in records if "val_frechet" in r}
for step in sorted(told):
    if step % 5000 == 0: print(f"  on the way, step {step}: frechet {told[step]:.1f}")
P
  python3 -c 'import json, sys
for key in "frechet", "kernel", "precision", "recall", "nearer_prob":
    print(f"  {key}: {json.load(open(sys.argv[1])).get(key)}")' "$name.json"
}
trained wgan-gp best.h5 gan-train -q train.h5 --preset dcgan-32 --loss wasserstein --penalty gradient --discriminator-steps 5 \
  --adam-beta2 0.9 --hflip --val-every 500
trained gan best.h5 gan-train -q train.h5 --preset dcgan-32 --hflip --val-every 1000
trained unet 'step-*.h5' ddpm-train -q train.h5 --preset unet-32 --hflip
