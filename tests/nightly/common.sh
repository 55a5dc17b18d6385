# What the nightly proofs share; sourced with the arguments SOURCE BUILD STATE.
# shellcheck shell=bash
set -eu -o pipefail
source_dir=$1 build=$2 state=$3
PATH=$build/bin:/usr/bin:$PATH
export PATH source_dir
cd "$state"
# shellcheck disable=SC2034  # used by those that source this
fashion=/usr/share/datasets/fashion-mnist
# Data that are no part of the product: ATELIER_DATA names their folder.
# shellcheck disable=SC2034
data=${ATELIER_DATA:-}

# metric FILE STEP KEY: a value of the validation record of that step.
metric() { python3 - "$@" <<'P'
import json, sys
path, step, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
found = [r[key] for r in map(json.loads, open(path)) if r.get("step") == step and key in r]
print(f"{found[-1]:.4f}" if found else "missing")
P
}
# first_metric FILE KEY: the first record that has it.
first_metric() { python3 - "$@" <<'P'
import json, sys
path, key = sys.argv[1:]
print(next((f"{r[key]:.4f}" for r in map(json.loads, open(path)) if key in r), "missing"))
P
}
# training_time FILE: minutes of all parts of a run, and the pictures a second of the last.
training_time() { python3 - "$@" <<'P'
import json, sys
parts, speed, threads = [], 0, set()
for record in map(json.loads, open(sys.argv[1])):
    if "program" in record: parts.append(0)
    if "threads" in record: threads.add(record["threads"])
    if "seconds" in record: parts[-1] = record["seconds"]
    if "images_per_second" in record: speed = record["images_per_second"]
print(f"training took {sum(parts) / 60:.1f} minutes of {', '.join(map(str, sorted(threads)))} threads in {len(parts)} parts, at the end {speed:.0f} pictures a second")
P
}
# needs_data NAME: ends the item, as skipped, without that folder of ATELIER_DATA.
needs_data() {
  [ -n "$data" ] && [ -d "$data/$1" ] && return
  echo "skipped: no $1 in ATELIER_DATA"
  exit 77
}
# needs_idle_machine: waits for it, as what was built or trained a minute ago still counts in the load;
# ends the item, as skipped, when it stays busy.
needs_idle_machine() {
  for _ in $(seq 20); do
    awk '{ exit !($1 < 0.3) }' /proc/loadavg && return
    sleep 15
  done
  echo "skipped: the machine is busy"
  exit 77
}
# packed_padded NAME FOLDER: NAME-train.h5 and NAME-t10k.h5 of the idx files of FOLDER, two black pixels
# on each side, which cost the best linear prediction nothing (as the bars of denoising are stated).
packed_padded() {
  local part
  for part in train t10k; do
    [ -e "$1-$part.h5" ] && continue
    python3 - "$2/$part-images-idx3-ubyte.gz" "$1-$part-idx3" <<'P'
import gzip, struct, sys
raw = gzip.open(sys.argv[1]).read()
count, height, width = struct.unpack(">III", raw[4:16])
empty = bytes(2 * (width + 4))
with open(sys.argv[2], "wb") as out:
    out.write(raw[:4] + struct.pack(">III", count, height + 4, width + 4))
    for at in range(16, len(raw), height * width):
        rows = (raw[at + i * width:at + (i + 1) * width] for i in range(height))
        out.write(empty + b"".join(bytes(2) + row + bytes(2) for row in rows) + empty)
P
    data-pack -q "$1-$part-idx3" --labels "$2/$part-labels-idx1-ubyte.gz" -o "$1-$part.h5"
    rm "$1-$part-idx3"
  done
}
# wiener NAME: the mean error of the best linear prediction of the noise in pictures of NAME-t10k.h5.
wiener() {
  [ -s "$1-wiener.json" ] || { model-eval -q --baselines "$1-train.h5" --unseen "$1-t10k.h5" --json >"$1-part" && mv "$1-part" "$1-wiener.json"; }
  python3 -c 'import json, sys; print(round(json.load(open(sys.argv[1]))["wiener_linear_epsilon"], 4))' "$1-wiener.json"
}
# learn_sampled_digits OPTION...: the published VAE of 784-400-40, 500 epochs on digits binarised once by
# sampling, in parts; says the likelihood of all test digits every 100 epochs, as in run/metrics.jsonl.
learn_sampled_digits() {
  needs_data mnist
  [ -e train.h5 ] || data-pack -q "$data/mnist/train-images-idx3-ubyte.gz" -o train.h5
  [ -e test.h5 ] || data-pack -q "$data/mnist/t10k-images-idx3-ubyte.gz" -o test.h5
  vae-train train.h5 --val-data test.h5 --preset mnist-fc --binarize sample --run-dir run --resume --epochs 500 "$@" \
    --save-every 2m --val-every 60000 --val-importance-samples 200 --val-importance-images 10000 --log-every 6000 -o vae.h5
  local epoch
  for epoch in 100 200 300 400 500; do
    echo "after $epoch epochs: -ELBO $(metric run/metrics.jsonl $((epoch * 600)) val_loss) nats, NLL $(metric run/metrics.jsonl $((epoch * 600)) val_importance_nll) nats"
  done
}
# is_number VALUE...: whether all are; what is missing breaks a bar, whichever side of it awk puts it on.
is_number() {
  local value
  for value; do [[ $value =~ ^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$ ]] || return 1; done
}
# within NAME VALUE TARGET TOLERANCE: prints the line and remembers a miss.
misses=0
within() {
  if is_number "$2" && awk "BEGIN { exit !(($2 - $3)^2 <= ($4)^2) }"; then verdict=ok; else verdict=MISSED misses=$((misses + 1)); fi
  echo "$1: $2 (target $3 within $4) $verdict"
}
at_most() {
  if is_number "$2" "$3" && awk "BEGIN { exit !($2 <= $3) }"; then verdict=ok; else verdict=MISSED misses=$((misses + 1)); fi
  echo "$1: $2 (at most $3) $verdict"
}
at_least() {
  if is_number "$2" "$3" && awk "BEGIN { exit !($2 >= $3) }"; then verdict=ok; else verdict=MISSED misses=$((misses + 1)); fi
  echo "$1: $2 (at least $3) $verdict"
}
