#!/bin/bash
# ddpm-train: networks and objectives, equal bytes, resumption, samplers, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 61 --image-size 8 -o shapes.h5
data-pack -q --synthetic ring --synthetic-count 200 -o ring.h5
unet=(--base-channels 4 --channel-mult '1,2' --attention-sizes 4 --batch-size 8)
dit=(--net dit --patch-size 4 --embed-dim 8 --depth 1 --num-heads 2 --batch-size 8)

# ---- equal bytes: two runs, any number of threads, both levels
same_bytes ddpm-train shapes.h5 "${unet[@]}" --steps 3 --ema-decay 0.9
same_bytes ddpm-train shapes.h5 "${dit[@]}" --steps 3 --class-conditional

# ---- schedules, predictions, variances, objectives
while read -r options; do
  # shellcheck disable=SC2086  # words are meant
  status 0 ddpm-train -q shapes.h5 "${dit[@]}" $options --steps 2 --val-split 0.3 -o d.h5
  status 0 sample -q d.h5 -n 2 --sample-steps 3 -o d.png
done <<'T'
--beta-schedule cosine --prediction-type v
--beta-schedule sigmoid --prediction-type x0 --min-snr-gamma 5
--beta-schedule scaled-linear --variance-type fixed-small
--zero-terminal-snr --prediction-type v
--variance-type learned-range --loss hybrid
--variance-type learned-range --loss vlb --timestep-sampler loss-second-moment
--num-timesteps 100
T

# ---- a new network tells nothing: its error is that of the noise
status 0 ddpm-train -q shapes.h5 --base-channels 4 --batch-size 61 --steps 1 --learning-rate 0 --log-every 1 --metrics m.jsonl -o zero.h5
check 'the first error is 1' python3 -c 'import json, sys
loss = [json.loads(line)["loss"] for line in open("m.jsonl") if "\"loss\"" in line and "epoch" in line][0]
sys.exit(abs(loss - 1) > 0.03)'

# ---- the best linear denoiser of the data: said, recorded, and remarked on where it does better
status 0 ddpm-train ring.h5 --embed-dim 8 --depth 1 --steps 4 --val-split 0.3 --learning-rate 0 --metrics w.jsonl -o w.h5
stderr_has 'to compare with: wiener_mse 0.'
stderr_has 'remark: the best linear denoiser fitted to your data does better (mse 0.'
status 0 grep -q '"unit.wiener_mse":"mean square"' w.jsonl
status 0 grep -q '"remark":"above_wiener"' w.jsonl
check 'it is what model-eval says' python3 -c 'import json, subprocess, sys
recorded = [r["wiener_mse"] for r in map(json.loads, open("w.jsonl")) if "wiener_mse" in r]
told = json.loads(subprocess.run("model-eval ring.h5 --denoising w.h5 --held-out 0.3 --visited-timesteps 1 --json".split(), capture_output=True).stdout)
sys.exit(len(recorded) != 1 or abs(recorded[0] - told["wiener_epsilon_mse"]) > 1e-9)'
# Without rows held out it is fitted to half of them and judged on the others: of 61 pictures of 768
# numbers the filter of its own rows would be far better than it is.
status 0 ddpm-train shapes.h5 --base-channels 4 --batch-size 8 --steps 1 --metrics own.jsonl -o own.h5
status 0 ddpm-train shapes.h5 --base-channels 4 --batch-size 8 --steps 1 --val-data shapes.h5 --metrics seen.jsonl -o seen.h5
check 'the filter is judged on rows that it has not seen' python3 -c 'import json, sys
own, seen = ([r["wiener_mse"] for r in map(json.loads, open(name)) if "wiener_mse" in r] for name in ("own.jsonl", "seen.jsonl"))
sys.exit(not own[0] > 1.2 * seen[0])'
# Few rows know little of their covariance, but it is no worse than predicting 0.
status 0 ddpm-train shapes.h5 --limit 12 --base-channels 4 --batch-size 8 --steps 4 --learning-rate 0 --metrics few.jsonl -o few.h5
stderr_has 'remark: the best linear denoiser fitted to your data does better (mse 0.'
check 'in no quarter of the timesteps is it worse than predicting 0' python3 -c 'import json, sys
told = [r for r in map(json.loads, open("few.jsonl")) if "wiener_mse" in r]
sys.exit(not max(v for k, v in told[0].items() if k.startswith("wiener_mse")) < 1.001)'

# ---- a network of pictures has nothing to look over in a vector
for net in unet dit; do
  status 2 ddpm-train ring.h5 --net $net --steps 1 -o x.h5
  stderr_has "--net $net: is of pictures, but ring.h5 holds rows of 2 numbers; expected mlp"
done

# ---- resumption: stopped after each step, with a history of losses, the end is the same file
full=(shapes.h5 "${unet[@]}" --steps 7 --ema-decay 0.9 --val-split 0.2 --val-every 3
  --variance-type learned-range --loss vlb --timestep-sampler loss-second-moment --num-timesteps 30)
status 0 ddpm-train "${full[@]}" --run-dir straight -o straight.h5
for attempt in $(seq 40); do
  ddpm-train "${full[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
done
status 0 test "$attempt" -ge 7
status 0 cmp straight.h5 broken.h5
status 0 cmp straight/step-00000007.h5 broken/step-00000007.h5
status 1 grep -q timesteps <(h5ls -r straight/step-00000007.h5)

# ---- every sampler gives a seed its picture, whatever the batch
status 0 ddpm-train -q shapes.h5 "${unet[@]}" --class-conditional --steps 3 -o classes.h5
for sampler in ddpm ddim dpm2m heun; do
  how=(--sampler "$sampler" --sample-steps 4 --guidance-scale 2)
  status 0 sample -q classes.h5 --seeds 0-6 "${how[@]}" --batch-size 3 -o seven.h5
  status 0 sample -q classes.h5 --seeds 5 "${how[@]}" -o fifth.h5
  check "$sampler: seed 5 is picture 5 of seven" python3 -c 'import h5py, sys
seven, one = h5py.File("seven.h5")["images"][5], h5py.File("fifth.h5")["images"][0]
sys.exit(not (seven == one).all())'
done
status 0 ddpm-train -q shapes.h5 "${unet[@]}" --class-conditional --class-dropout-prob 0 --steps 1 -o always.h5
status 1 sample always.h5 --guidance-scale 2 -o t.png
stderr_has 'always.h5: --guidance-scale 2: this model never saw pictures without their class (class_dropout_prob 0)'
status 0 sample -q classes.h5 -n 2 --sampler ddim --eta 1 --sample-steps 4 --timestep-spacing leading --threshold-quantile 0.9 -o t.png
status 0 ddpm-train -q ring.h5 --embed-dim 8 --depth 1 --steps 3 -o points.h5
status 0 sample -q points.h5 -n 40 --sample-steps 5 -o drawn.h5
status 0 model-eval drawn.h5 --modes ring.h5
# ---- vectors that the noise does not cover, or that it drowns
for radius in 50 0.01; do
  status 0 ddpm-train --synthetic ring --synthetic-radius $radius --synthetic-count 200 --embed-dim 8 --depth 1 --steps 1 -o far.h5
  stderr_has 'the root mean square of the vectors is '
done
# ---- what is typed is stronger than a variable, and a file that holds both lists and counts is refused
status 0 sample -q points.h5 -n 4 --sample-steps 3 -o three.h5
ATELIER_TIMESTEPS=900,500,0 status 0 sample -q points.h5 -n 4 --sample-steps 3 -o typed.h5
status 0 h5diff three.h5 typed.h5 /vectors
ATELIER_SAMPLE_STEPS=3 status 0 sample -q points.h5 -n 4 --timesteps 900,500,0 -o listed.h5
status 1 h5diff three.h5 listed.h5 /vectors
ATELIER_TIMESTEPS=900,500,0 ATELIER_SAMPLE_STEPS=3 status 0 sample -q points.h5 -n 4 -o variables.h5
status 0 h5diff listed.h5 variables.h5 /vectors
status 0 sample points.h5 -n 4 --timesteps 900,500,0 -o again.h5 --print-config
mv stdout again.toml
status 0 sample -q -c again.toml
status 0 h5diff listed.h5 again.h5 /vectors
printf 'timesteps = "900,500,0"\nsample-steps = 3\n' >both.toml
status 2 sample -c both.toml points.h5 -o x.h5
stderr_has '--timesteps and --sample-steps exclude each other'
# ---- temperature
status 0 sample -q points.h5 -n 4 --sampler ddpm --sample-steps 5 --temperature 0 -o cold.h5
status 0 sample -q points.h5 -n 4 --sampler ddpm --sample-steps 5 -o warm.h5
status 1 h5diff warm.h5 cold.h5 /vectors
status 0 ddpm-train shapes.h5 --net mlp --embed-dim 191 --depth 1 --steps 1 -o x.h5
stderr_has 'net mlp: noise of 192 numbers goes through 191; expected --embed-dim of at least as many'
rm x.h5
# ---- what is told by quarters of the timesteps is a mean over the rows there, held out or not
status 0 ddpm-train shapes.h5 --net mlp --embed-dim 192 --depth 1 --val-split 0.2 --batch-size 32 --steps 4 --log-every 1 --run-dir quarters -o x.h5
stderr_has 'wiener_mse_q4'
check 'an untrained network is off by 1 in each' python3 -c 'import json, sys
first = [r for r in map(json.loads, open("quarters/metrics.jsonl")) if r.get("step") == 1 and "mse" in r][0]
told = [first[f"mse_q{q}"] for q in (1, 2, 3, 4) if f"mse_q{q}" in first]
print(told, file=sys.stderr)
sys.exit(len(told) < 4 or max(abs(v - 1) for v in told) > 0.2)'
check 'held out too' grep -q val_mse_q4 quarters/metrics.jsonl
rm x.h5
# ---- a network of few timesteps can be told them as of 1000
few=(--net mlp --embed-dim 192 --depth 1 --num-timesteps 100 --seed 1)
status 0 ddpm-train -q shapes.h5 "${few[@]}" --steps 30 -o raw.h5
status 0 ddpm-train -q shapes.h5 "${few[@]}" --steps 30 --rescale-timesteps -o rescaled.h5
status 1 h5diff raw.h5 rescaled.h5 /model
status 2 ddpm-train shapes.h5 --net mlp --embed-dim 192 --depth 1 --rescale-timesteps --steps 1 -o x.h5
stderr_has '--rescale-timesteps has no effect with --num-timesteps 1000'
# ---- what cannot be clipped is not begun where errors grow without end
status 0 ddpm-train ring.h5 --embed-dim 8 --depth 1 --beta-schedule cosine --steps 3 -o late.h5
stderr_has '--prediction-type epsilon: from the last timesteps of --beta-schedule cosine errors grow'
status 0 sample -v late.h5 -n 2 -o drawn.h5
stderr_has 'samples begin at timestep'
# ---- models of fewer timesteps than samples usually take: all of them
few=(--num-timesteps 20 --beta-schedule cosine)
status 0 ddpm-train -q shapes.h5 --net mlp --embed-dim 192 --depth 1 "${few[@]}" --steps 2 --sample-every 2 --sample-grid 2x2 --run-dir few -o few.h5
check 'the grid is drawn' test -s few/samples/step-00000002.png
status 0 sample -q few.h5 -n 2 --format hdf5 -o usual.h5
status 0 sample -q few.h5 -n 2 --sample-steps 20 --format hdf5 -o all.h5
status 0 h5diff usual.h5 all.h5 /images
status 0 interpolate -q few.h5 --seeds 1,2 --frames 3 -o t.png
status 2 sample few.h5 --sample-steps 21 -o x.png
stderr_has '--sample-steps 21: expected 1 to 20'
# ---- Heun does not multiply errors from the cold end of a cosine schedule
status 0 ddpm-train -q shapes.h5 --net mlp --embed-dim 256 --depth 2 --beta-schedule cosine --prediction-type v --steps 300 -o cosine.h5
for sampler in ddim heun; do status 0 sample -q cosine.h5 -n 64 --sampler $sampler --sample-steps 10 --format hdf5 -o $sampler.h5; done
check 'no more pixels end at the bounds than with DDIM, or few more' python3 -c 'import h5py, sys
ends = [float(((x := h5py.File(name)["images"][:]) % 255 == 0).mean()) for name in ("ddim.h5", "heun.h5")]
print(ends, file=sys.stderr)
sys.exit(ends[1] > ends[0] + 0.2)'
# ---- no class is no class, of a learned variance too
status 0 ddpm-train -q ring.h5 --embed-dim 16 --depth 1 --class-conditional --variance-type learned-range --loss hybrid --class-dropout-prob 0.5 --steps 50 --learning-rate 1e-2 -o range.h5
status 0 sample -q range.h5 -n 9 --sampler ddpm --sample-steps 20 --guidance-scale 0 -o unguided.h5
status 0 sample -q range.h5 -n 9 --sampler ddpm --sample-steps 20 --class none -o none.h5
status 0 h5diff unguided.h5 none.h5 /vectors

# ---- what cannot be meant
while IFS='|' read -r options text; do
  # shellcheck disable=SC2086  # words are meant
  status 2 ddpm-train shapes.h5 $options --steps 1 -o x.h5
  stderr_has "$text"
done <<'T'
--loss hybrid|hybrid
--zero-terminal-snr|epsilon
--min-snr-gamma 5 --variance-type learned-range --loss vlb|--min-snr-gamma with --loss vlb
--channel-mult 1,2,2,2,2|too small for 4 halvings
--num-heads 3|--num-heads 3: does not divide
--channel-mult 1,|--channel-mult '1,': expected numbers
--net dit --patch-size 100|--patch-size 100: larger than the pictures, 
--crop-padding 100|--crop-padding 100: expected less than the pictures, 
--net dit --base-channels 8|--base-channels has no effect with --net dit
--net mlp --num-heads 2|--num-heads has no effect with --net mlp
--patch-size 2|--patch-size has no effect with --net unet
--beta-schedule cosine --beta-start 0.1|--beta-start has no effect with --beta-schedule cosine
--class-dropout-prob 0.2|--class-dropout-prob has no effect with no --class-conditional
--class-conditional --class-dropout-prob 1|--class-dropout-prob 1: no label is ever seen
--base-channels 1|--base-channels
--base-channels 1e12|--base-channels '1e12': expected a whole number from 2 to 16384
--num-timesteps 20|--num-timesteps 20: the schedule's betas are multiplied by 1000 over it and would reach 1; expected at least 21
--beta-start 1e-20|--beta-start 1e-20 and --beta-end 0.02: expected 1e-12 <= start
--attention-sizes 5|--attention-sizes has no effect with maps of 8, 4, 2
--attention-sizes 4,5|--attention-sizes has no effect with maps of 8, 4, 2
--val-importance-samples 3|--val-importance-samples
--grad-accum-steps 2 --timestep-sampler loss-second-moment|--grad-accum-steps 2: --timestep-sampler loss-second-moment draws for a whole batch
T
# The sizes of maps that are not looked over need no heads, and none but the middle may be.
status 0 ddpm-train -q shapes.h5 --base-channels 3 --channel-mult 1,2 --attention-sizes= --num-heads 2 --steps 1 -o middle.h5
# Held-out pictures that a model of classes cannot be told of.
data-pack -q --synthetic noise --synthetic-count 9 --image-size 8 --image-channels 3 -o plain.h5
status 1 ddpm-train shapes.h5 "${unet[@]}" --class-conditional --val-data plain.h5 --steps 1 -o x.h5
stderr_has 'plain.h5: expected labels (--class-conditional), found none'
status 0 ddpm-train -q shapes.h5 "${unet[@]}" --val-data plain.h5 --steps 1 -o told.h5
status 1 sample straight.h5 --guidance-scale 2 -o x.png
stderr_has 'straight.h5: --guidance-scale 2: this model knows no classes to guide to'
status 2 sample classes.h5 --sampler dpm2m --eta 0.5 -o x.png
status 2 sample classes.h5 --sample-steps 2000 -o x.png
status 2 sample points.h5 --threshold-quantile 0.9 -o x.csv
stderr_has '--threshold-quantile 0.9: what is no picture is never clipped'
status 2 sample classes.h5 --threshold-quantile 0.9 --no-clip-x0 -o x.png
stderr_has '--threshold-quantile 0.9: --no-clip-x0 clips nothing'
check 'nothing was written' test ! -e x.h5 -a ! -e x.png
finish
