#!/bin/bash
# vae-train: what it records, prints and remarks, and that its options do what they say.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
export OMP_NUM_THREADS=1  # the nets are too small for more
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 --image-channels 1 -o grey.h5
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o colour.h5
tiny=(--net fc --hidden-dim 8 --latent-dim 2 --batch-size 8)
gaussian=(grey.h5 "${tiny[@]}" --likelihood gaussian)

# ---- a folder of colour pictures, typed as the manual says
mkdir avatars
for i in $(seq 12); do
  { printf 'P6\n8 8\n255\n' && yes "picture $i" | tr -d '\n' | head -c 192; } >"avatars/$i.ppm"
done
status 0 bash -c 'set -o pipefail; data-pack avatars/ -o - | vae-train - -o - | sample -n 64 - > grid.png'
check 'a picture came out' test "$(head -c 4 grid.png | tail -c 3)" = PNG
status 0 vae-train avatars/ --run-dir line -o line.h5
status 0 bash -c 'sample -n 64 line.h5 >again.png'
status 0 cmp grid.png again.png
status 0 model-info line.h5
for chosen in net:conv likelihood:gaussian sigma:learned; do stdout_has "^config.${chosen%:*}: ${chosen#*:}$"; done
stdout_has '^training.epochs: 40$'
check 'the epochs are in config.toml' grep -qx 'epochs = 40' line/config.toml
check 'so is the net' grep -qx 'net = "conv"' line/config.toml
status 0 vae-train grey.h5 --steps 1 -o grey-model.h5
status 0 model-info grey-model.h5
for chosen in net:fc likelihood:bernoulli sigma:unit; do stdout_has "^config.${chosen%:*}: ${chosen#*:}$"; done
stdout_has '^training.epochs: -1$'

# ---- every unit is told before the record that needs it; terms are means of the same updates
status 0 vae-train "${gaussian[@]}" --kl-weight 4 --kl-warmup-steps 4 --sigma learned --steps 12 --log-every 1 --val-split 0.3 --val-every 6 \
  --val-importance-samples 3 --learning-rate 0.01 --metrics each.jsonl -o x.h5
status 0 vae-train "${gaussian[@]}" --kl-weight 4 --kl-warmup-steps 4 --sigma learned --steps 12 --log-every 4 --val-split 0.3 --val-every 6 \
  --val-importance-samples 3 --learning-rate 0.01 --metrics four.jsonl -o y.h5
status 0 cmp x.h5 y.h5
cat >records.py <<'P'
import json
def read(name):
    return [json.loads(line) for line in open(name)]
plain = {"step", "epoch", "updates", "learning_rate", "grad_norm", "images_per_second", "seconds", "rss_mib", "done",
         "program", "threads", "level", "cpu", "seed", "parameters", "remark", "text"}
told = set()
for record in read("each.jsonl"):
    for key in record:
        if key.startswith("unit."):
            assert key not in told, key
            told.add(key)
        elif key not in plain:
            assert "unit." + key in told, key
want = {"loss", "reconstruction", "kl", "sigma", "val_loss", "val_kl", "val_squared_error", "val_importance_nll",
        "val_active_units", "val_negative_elbo", "baseline_squared_error"}
assert {"unit." + name for name in want} <= told, told
each = [r for r in read("each.jsonl") if "loss" in r]
assert [r["step"] for r in each] == list(range(1, 13))
assert all(r["updates"] == 1 for r in each)
for r in each:
    weight = 4 * min((r["step"] - 1) / 4, 1)
    assert abs(r["loss"] - r["reconstruction"] - weight * r["kl"]) < 1e-4 * abs(r["loss"]), r
assert each[-1]["sigma"] != 1
for r in read("four.jsonl"):
    if "loss" not in r:
        continue
    assert r["updates"] == 4, r
    mine = [e for e in each if r["step"] - 4 < e["step"] <= r["step"]]
    for key in ("loss", "reconstruction", "kl", "sigma"):
        mean = sum(e[key] for e in mine) / 4
        assert abs(r[key] - mean) < 1e-9 * abs(mean), (key, r, mean)
for r in read("each.jsonl"):
    if "val_loss" in r:
        assert abs(r["val_negative_elbo"] - r["val_reconstruction"] - r["val_kl"]) < 1e-4 * abs(r["val_loss"])
        assert abs(r["val_loss"] - r["val_reconstruction"] - 4 * r["val_kl"]) < 1e-4 * abs(r["val_loss"])
P
status 0 /usr/bin/python3 records.py
# A record of fewer updates than usual says so: at the end, and where a stop made it forget some.
cut=(vae-train "${gaussian[@]}" --steps 10 --log-every 4 --run-dir cut)
status 75 "${cut[@]}" --max-time 0.0001s
status 0 "${cut[@]}" --resume
status 0 test "$(sed -n 's/^{"step":\([0-9]*\),.*"updates":\([0-9]*\),"loss".*/\1 \2/p' cut/metrics.jsonl | paste -sd ,)" = '4 3,8 4,10 2'
# The speed of a run is that of its steady part; a last interval of one update does not stand alone.
status 0 vae-train "${gaussian[@]}" --steps 4001 --log-every 1000 --metrics speed.jsonl
cat >speed.py <<'P'
import json
records = [json.loads(line) for line in open("speed.jsonl")]
updates = [r for r in records if "loss" in r]
assert [r["step"] for r in updates] == [1000, 2000, 3000, 4000, 4001]
seconds = updates[-1]["seconds"] - updates[0]["seconds"]
speed = records[-1]["images_per_second"]
print("summary: images per second: %.0f, by the clock %.0f" % (speed, 3001 * 8 / seconds))
assert abs(speed * seconds / (3001 * 8) - 1) < 0.2
P
status 0 /usr/bin/python3 speed.py
grep summary stdout

# ---- remarks
status 0 vae-train "${gaussian[@]}" --steps 3 --val-split 0.3 --learning-rate 1e-9 --metrics remarks.jsonl
stderr_has 'remark: principal components, as many as latent numbers, reconstruct the same pictures better (squared error '
check 'the remark is recorded' grep -q '"remark":"above_pca"' remarks.jsonl
check 'with the baseline' grep -q '"baseline_squared_error":' remarks.jsonl
status 0 vae-train grey.h5 "${tiny[@]}" --binarize threshold --steps 3 --learning-rate 1e-9 --metrics nothing-held-out.jsonl
stderr_has 'remark: a mixture of independent pixels fitted to your data predicts the same pictures better (loss in nats a picture '
check 'with the baseline' grep -q '"baseline_loss":' nothing-held-out.jsonl
# Labels may be keys of any size, and as many as there are pictures.
{ seq 0 38 && echo 2147483647; } >labels.txt
status 0 data-pack --synthetic noise --synthetic-count 40 --image-size 8 --image-channels 1 --labels labels.txt -o keys.h5
stderr_has '40 pictures 8x8x1, 40 classes, 0 skipped'
status 0 vae-train keys.h5 "${tiny[@]}" --binarize threshold --steps 3 --val-split 0.3 --metrics keys.jsonl
check 'with the baseline' grep -q '"baseline_loss":' keys.jsonl
seq 0 1100 >labels.txt
status 0 data-pack -q --synthetic noise --synthetic-count 1101 --image-size 32 --image-channels 1 --labels labels.txt -o many.h5
status 0 vae-train many.h5 "${tiny[@]}" --binarize threshold --steps 1 --metrics many.jsonl
check 'no mixture is too large' grep -q '"baseline_loss":' many.jsonl
status 0 vae-train "${gaussian[@]}" --kl-weight 1e4 --learning-rate 0.01 --steps 200 --metrics collapsed.jsonl
stderr_has 'remark: the posterior has collapsed'

status 0 vae-train --synthetic noise --synthetic-count 9 --image-size 40 "${tiny[@]}" --likelihood gaussian --val-split 0.5 --steps 1 --metrics wide.jsonl
stderr_has 'remark: no principal components to compare the squared error with: pictures of 4800 numbers'

# ---- the line on a terminal, plain lines elsewhere, --dry-run
cat >terminal.py <<'P'
import os, pty, subprocess, sys, termios
ours, theirs = pty.openpty()
if "TERMINAL_COLUMNS" in os.environ: termios.tcsetwinsize(theirs, (24, int(os.environ["TERMINAL_COLUMNS"])))
child = subprocess.Popen(sys.argv[1:], stderr=theirs)
os.close(theirs)
said = b""
while True:
    try:
        piece = os.read(ours, 4096)
    except OSError:
        break
    if not piece:
        break
    said += piece
sys.stdout.buffer.write(said.replace(b"\r", b"\n"))
sys.exit(child.wait())
P
status 0 /usr/bin/python3 terminal.py vae-train "${gaussian[@]}" --steps 2000 -o x.h5
stdout_has 'step [0-9]+/2000  [0-9]+ pictures/s  [0-9.]+ (s|min [0-9]+ s) left  loss [0-9.]+ nats/image'
TERMINAL_COLUMNS=30 status 0 /usr/bin/python3 terminal.py vae-train "${gaussian[@]}" --steps 2000 -o x.h5
check 'the line is cut, not wrapped' python3 -c 'import re, sys
lines = [line for line in re.split("[\n\r]+", open("stdout").read().replace("\x1b[K", "")) if line.startswith("step ")]
print(lines[-1], file=sys.stderr)
sys.exit(max(map(len, lines)) != 29)'
status 0 vae-train "${gaussian[@]}" --steps 4 --log-every 2 -o x.h5
stderr_has 'step 2/4: loss '
stderr_has '4 steps, seed 0, '
stderr_has 'vae-train: 40 pictures 8x8x1 to train on, 0 held out; '
stderr_has ' parameters; 4 steps'
status 0 vae-train -q "${gaussian[@]}" --steps 4 --log-every 2 -o x.h5
check 'silence' test ! -s stderr
status 0 vae-train "${gaussian[@]}" --val-split 0.3 --val-importance-samples 2 --dry-run --run-dir dry -o dry.h5
for line in 'parameters: [0-9]+' 'multiply-accumulates a step: [0-9.e+]+' 'memory of a step: [0-9.]+ .?i?B' 'memory of a validation: [0-9.]+ .?i?B' \
  'seconds a validation: [0-9.e-]+' 'validations: 40' 'memory of the run: [0-9.]+ MiB' 'seconds a step: [0-9.e-]+' 'steps: [0-9]+' 'time of the run: [0-9.]+ .*'; do
  stdout_has "^$line$"
done
check 'a dry run leaves nothing' test ! -e dry -a ! -e dry.h5

# ---- the reader of the metrics goes away
status 0 bash -c "vae-train ${gaussian[*]} --steps 400 --log-every 1 --metrics - -o piped.h5 | head -n 1; exit \${PIPESTATUS[0]}"
status 0 vae-train "${gaussian[@]}" --steps 400 -o x.h5
status 0 cmp x.h5 piped.h5

# ---- a path that is no text
cp grey.h5 $'bad\xff.h5'
status 0 vae-train $'bad\xff.h5' "${tiny[@]}" --likelihood gaussian --steps 2 --run-dir bytes -o x.h5
stderr_has 'bytes/config.toml: data: left out, since it is not UTF-8'
status 0 vae-train -c bytes/config.toml grey.h5 -o y.h5
status 0 cmp x.h5 y.h5

# ---- k micro-batches are one batch
for slices in 1 4; do
  status 0 vae-train "${gaussian[@]}" --steps 5 --grad-accum-steps $slices --log-every 1 --metrics slices$slices.jsonl -o slices$slices.h5
done
cat >slices.py <<'P'
import json
one, four = ([r for r in map(json.loads, open("slices%d.jsonl" % k)) if "loss" in r] for k in (1, 4))
assert len(one) == len(four) == 5
worst = max(abs(a[key] - b[key]) / abs(a[key]) for a, b in zip(one, four) for key in ("loss", "reconstruction", "kl"))
print("summary: A15: 1 against 4 micro-batches, loss and terms of 5 updates: worst relative difference %.2g" % worst)
assert worst < 1e-6
P
status 0 /usr/bin/python3 slices.py
grep summary stdout

# ---- refused
refused() {
  status 2 vae-train "${gaussian[@]}" -o x.h5 "${@:2}"
  stderr_has "$1"
}
refused '--sample-every: needs --run-dir' --sample-every 5
refused '--sample-every: this model draws no pictures' --sample-every 5 --run-dir r --no-variational
refused "--sample-grid '0x3': expected columns x rows" --run-dir grids --sample-every 1 --sample-grid 0x3
refused '--val-importance-samples: this model' --val-importance-samples 5 --no-variational --val-split 0.3
refused '--val-importance-samples: nothing is held out' --val-importance-samples 5
refused '--val-every: nothing is held out' --val-every 5
refused '--kl-warmup-steps: a plain autoencoder' --kl-warmup-steps 5 --no-variational
refused '--kl-weight 2: a plain autoencoder' --kl-weight 2 --no-variational
for name in step-00000003.h5 best.h5 metrics.jsonl config.toml run.lock; do
  refused "--metrics r/$name: is a file that --run-dir r keeps itself" --run-dir r --metrics r/$name
  refused "--metrics ./r//$name: is a file that --run-dir r/ keeps itself" --run-dir r/ --metrics ./r//$name
done
status 2 vae-train "${gaussian[@]}" --run-dir line -o line/best.h5
stderr_has '--output line/best.h5: is a file that --run-dir line keeps itself'
mkdir kept
cp grey.h5 kept/best.h5
status 2 vae-train kept/best.h5 --steps 1 --run-dir kept
stderr_has 'DATA kept/best.h5: is a file that --run-dir kept keeps itself'
check 'the data are as they were' cmp grey.h5 kept/best.h5
ln -s line/config.toml link.h5
status 2 vae-train "${gaussian[@]}" --run-dir line -o link.h5
stderr_has '--output link.h5: is a file that --run-dir line keeps itself'
refused '--metrics ./x.h5: is the file of --output too' --metrics ./x.h5
refused '--lr-milestones: only --lr-schedule step' --lr-milestones 5
refused '--warmup-steps 9: the run has 5 steps' --warmup-steps 9 --steps 5
refused "--max-time '0s': expected a time above 0" --max-time 0s
refused "--max-time '5x'" --max-time 5x
refused "--save-every '5x'" --save-every 5x
refused "--val-every '5x'" --val-every 5x --val-split 0.3
refused '--epochs 9000000000000000: too many epochs, of 5 updates each' --epochs 9e15
refused '--val-every 9000000000000000: too many epochs' --val-every 9e15epochs --val-split 0.3
status 0 vae-train "${gaussian[@]}" --steps 1 --val-split 0.3 --val-batches 9e15 -o x.h5
refused '--keep: needs --run-dir' --keep 3
status 2 vae-train "${gaussian[@]}" -o - --save-every 5
stderr_has '--save-every: needs --run-dir or -o FILE'
# What repeats a run holds all options, those without effect at their defaults.
status 0 vae-train "${gaussian[@]}" --steps 2 --run-dir all -o x.h5
check 'all are there' grep -qx 'keep = 2' all/config.toml
for preset in mnist-fc conv32 avatars linear; do
  status 0 vae-train -q colour.h5 --preset $preset --steps 2 --run-dir $preset -o x.h5
  status 0 vae-train -q -c $preset/config.toml -o y.h5
  status 0 cmp x.h5 y.h5
done
status 0 vae-train -q -c all/config.toml -o x.h5
refused "--lr-milestones '5x'" --lr-schedule step --lr-milestones 5x
finish
