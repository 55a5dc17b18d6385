#!/bin/bash
# gan-train: losses and penalties, equal bytes, resumption in the middle of cycles, samples, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 61 --image-size 16 -o shapes.h5
data-pack -q --synthetic ring --synthetic-count 200 -o ring.h5
net=(--base-channels 4 --latent-dim 6 --batch-size 8)
small=("${net[@]}" --val-samples 0)

# ---- equal bytes: two runs, any number of threads, both levels
same_bytes gan-train shapes.h5 "${small[@]}" --steps 4 --ema-decay 0.9 --discriminator-steps 2 --penalty gradient

# ---- every loss with every penalty that suits it
for loss in minimax non-saturating least-squares hinge wasserstein; do
  for penalty in none gradient dragan r1; do
    status 0 gan-train -q shapes.h5 "${small[@]}" --loss $loss --penalty $penalty --steps 2 --log-every 1 --metrics m.jsonl -o g.h5
    rm -f m.jsonl.old
    check "$loss, $penalty: finite losses of both" \
      python3 -c 'import json, math, sys
records = [json.loads(line) for line in open("m.jsonl")]
told = [r for r in records if "discriminator_loss" in r]
sys.exit(len(told) != 2 or not all(math.isfinite(r["discriminator_loss"]) and math.isfinite(r["loss"]) for r in told))'
    rm m.jsonl
  done
done
status 0 gan-train -q shapes.h5 "${small[@]}" --loss wasserstein --weight-clip 0.01 --optimizer rmsprop --steps 3 -o clipped.h5
status 0 gan-train -q shapes.h5 "${small[@]}" --discriminator-norm layer --loss minimax --unroll-steps 2 --discriminator-learning-rate 1e-4 --steps 3 -o ahead.h5
# ---- what has done harm is warned of
status 0 gan-train shapes.h5 "${small[@]}" --unroll-steps 1 --steps 1 -o harm.h5
stderr_has '--unroll-steps: with --loss non-saturating looking ahead has done harm'
stderr_has 'expected --discriminator-learning-rate of about a tenth of --learning-rate'
stderr_has '--unroll-steps: through --discriminator-norm batch'
status 0 gan-train shapes.h5 "${small[@]}" --no-keep-best --steps 1 -o last.h5
stderr_has '--no-keep-best: with --discriminator-norm batch networks collapse late'
status 0 gan-train shapes.h5 "${net[@]}" --val-samples 16 --steps 1 -o last.h5
stderr_has 'no --run-dir: with --discriminator-norm batch networks collapse late'
status 0 gan-train shapes.h5 "${small[@]}" --run-dir unjudged --steps 1 -o last.h5
stderr_has '--val-samples 0: with --discriminator-norm batch networks collapse late'
status 0 gan-train shapes.h5 "${net[@]}" --val-samples 16 --run-dir kept --steps 1 -o last.h5
check 'who keeps the best is not warned' test "$(grep -c 'collapse late' stderr)" = 0
status 0 gan-train shapes.h5 "${small[@]}" --loss wasserstein --discriminator-norm none --steps 1 -o free.h5
stderr_has "--loss wasserstein: nothing bounds the critic's slope"
stderr_has 'discriminator_loss'
stderr_has 'distance_estimate'
status 0 gan-train shapes.h5 "${small[@]}" --loss wasserstein --weight-clip 0.01 --discriminator-optimizer rmsprop --steps 1 -o rows.h5
stderr_has 'a row has no slope of its own, so that there is no distance_estimate'
check 'nor is there one' test "$(grep -c 'distance_estimate [-0-9]' stderr)" = 0
status 0 gan-train shapes.h5 "${small[@]}" --loss wasserstein --penalty gradient --steps 1 -o bound.h5
check 'who bounds slopes is not warned' test "$(grep -c 'bounds the critic' stderr)" = 0
status 0 gan-train shapes.h5 "${small[@]}" --loss minimax --discriminator-norm none --discriminator-learning-rate 1e-4 --unroll-steps 1 --steps 1 -o good.h5
check 'the recipe of the paper is not warned of' test "$(grep -c unroll-steps stderr)" = 0
status 0 gan-train -q shapes.h5 "${small[@]}" --instance-noise 0.5 --instance-noise-steps 2 --label-smoothing 0.1 --discriminator-learning-rate 1e-4 --steps 3 -o noisy.h5

# ---- resumption: stopped after each few steps, in cycles of three updates that look ahead, the end is
# the same file
full=(shapes.h5 "${net[@]}" --steps 9 --discriminator-steps 2 --discriminator-norm layer --unroll-steps 1
  --ema-decay 0.9 --val-samples 16 --val-every 4 --instance-noise 0.3 --instance-noise-steps 20)
status 0 gan-train "${full[@]}" --run-dir straight -o straight.h5
for attempt in $(seq 40); do
  gan-train "${full[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
done
status 0 test "$attempt" -ge 9
status 0 cmp straight.h5 broken.h5
status 0 cmp straight/step-00000009.h5 broken/step-00000009.h5
status 0 cmp straight/best.h5 broken/best.h5

# ---- what is made: the same picture for a seed, whatever the batch; classes go round
status 0 sample -q straight.h5 --seeds 7 --format ppm -o one.ppm
status 0 sample -q straight.h5 --seeds 0-9 --batch-size 3 --format hdf5 -o ten.h5
status 0 sample -q straight.h5 --seeds 7 --format hdf5 -o seventh.h5
check 'seed 7 is picture 7 of ten' python3 -c 'import h5py, sys
ten, one = h5py.File("ten.h5")["images"][7], h5py.File("seventh.h5")["images"][0]
sys.exit(not (ten == one).all())'
status 0 gan-train -q shapes.h5 "${small[@]}" --class-conditional --steps 2 -o classes.h5
status 0 sample -q classes.h5 -n 6 --class 2 --truncation 0.7 -o c.png
status 2 sample classes.h5 --truncation -1 -o c.png
stderr_has '--truncation -1: expected 0 to 100'
status 1 sample classes.h5 --class 3 -o c.png
stderr_has 'classes.h5: no class 3, it has 0 to 2'
status 1 sample straight.h5 --class 0 -o c.png
stderr_has 'straight.h5: this model draws no classes'
status 0 interpolate straight.h5 --seeds 1,2 --frames 4 -o strip.png

# ---- what judges: what is held out, or else what is trained on
judged=("${net[@]}" --val-samples 20 --val-every 3 --steps 6)
for how in '' '--val-split 0.5' '--val-data others.h5'; do
  data-pack -q --synthetic shapes --synthetic-count 40 --synthetic-seed 1 --image-size 16 -o others.h5
  # shellcheck disable=SC2086  # words are meant
  status 0 gan-train shapes.h5 "${judged[@]}" $how --run-dir judged --force --metrics m.jsonl
  stderr_has 'step 3: samples: frechet '
  held=0
  [ "$how" = '--val-split 0.5' ] && held='[23][0-9]'
  [ "$how" = '--val-data others.h5' ] && held=40
  check "$held held out" grep -q "to train on, $held held out" stderr
  check 'frechet, coverage, recall' python3 -c 'import json, sys
told = [r for r in map(json.loads, open("m.jsonl")) if "val_frechet" in r]
sys.exit(len(told) != 2 or not all(0 <= r["val_coverage"] <= 1 and 0 <= r["val_recall"] <= 1 for r in told))'
  python3 -c 'import json
print([r["val_frechet"] for r in map(json.loads, open("m.jsonl")) if "val_frechet" in r])' >>references
  rm m.jsonl
done
check 'each reference gives figures of its own' test "$(sort -u references | wc -l)" = 3
status 0 model-info judged/best.h5
stdout_has '^state.best_coverage: '

# ---- averages: their batch norms have statistics of their own, the same whenever the run is saved,
# and none that were carried along
averaged=(shapes.h5 "${small[@]}" --steps 7 --ema-decay "0.9,0.1")
status 0 gan-train -q "${averaged[@]}" -o once.h5
status 0 gan-train -q "${averaged[@]}" --run-dir often --save-every 2 --sample-every 3 -o often.h5
status 0 cmp once.h5 often.h5
check 'the averages have statistics that are not those of the weights' python3 -c 'import h5py, sys
f = h5py.File("once.h5")
name = "generator.spread.norm.running_var"
a, b, c = (f[g][name][:] for g in ("model", "ema0", "ema1"))
sys.exit(bool((a == b).any() or (b == c).any()))'

# ---- vectors
status 0 gan-train -q ring.h5 --hidden-dim 8,8 --latent-dim 2 --loss wasserstein --penalty gradient --steps 3 -o points.h5
status 0 sample -q points.h5 -n 40 -o drawn.h5
status 0 model-eval drawn.h5 --modes ring.h5
stdout_has '^rows: 40$'
status 0 gan-train ring.h5 --hidden-dim 8,8 --latent-dim 2 --steps 4 --val-every 2 --run-dir points
check 'what is counted has its name' grep -qE 'step 4/4: .* [0-9]+ vectors/s' stderr
check "distance and coverage of points" grep -qE "step 2: samples: sliced_wasserstein [0-9.]+ units of the vectors, coverage [0-9.]+ share" stderr
status 0 model-info points/best.h5
status 0 sample points.h5 -n 3 -o drawn.csv
status 2 sample points.h5 -n 3 -o drawn.xyz
status 2 sample straight.h5 -n 3 -o drawn.csv
status 2 sample points.h5 --grid 2x2 -o drawn.csv
stderr_has '--grid: points.h5 makes no pictures'
# Vectors that a generator drew are like those of an encoder that it learned from: comparable with
# them, and decoded as they are. They are no latents of its own.
status 0 model-eval drawn.h5 --reference ring.h5 --bootstrap 0
stdout_has '^frechet: [0-9.]+'
status 0 vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 3 --likelihood gaussian --steps 1 -o vae.h5
status 0 img2vec -q -m vae.h5 shapes.h5 -o codes.h5
status 0 gan-train -q codes.h5 --hidden-dim 8 --latent-dim 3 --steps 2 -o coder.h5
status 0 sample -q coder.h5 -n 61 -o codes-drawn.h5
status 0 model-eval codes-drawn.h5 --reference codes.h5 --bootstrap 0
status 0 model-eval codes.h5 --save-stats stats.h5
status 0 model-eval codes-drawn.h5 --reference stats.h5 --bootstrap 0
status 0 model-eval codes-drawn.h5 --save-stats stats-drawn.h5
status 0 model-eval codes.h5 --reference stats-drawn.h5 --bootstrap 0
refused "drawn.h5 has vectors of 2" model-eval drawn.h5 --reference stats.h5
status 0 vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 3 --likelihood gaussian --steps 2 -o vae2.h5
status 0 img2vec -q -m vae2.h5 shapes.h5 -o codes2.h5
refused "codes2.h5: vectors [3] of 'vae@" model-eval codes-drawn.h5 --reference codes.h5 --unseen codes2.h5
status 0 interpolate vae.h5 --vectors codes-drawn.h5 --frames 3 -o decoded.png
refused "codes-drawn.h5: vectors that a 'gan' drew are data, not latents of coder.h5" interpolate coder.h5 --vectors codes-drawn.h5 -o x.h5
refused "drawn.h5: vectors of 2 numbers, but vae.h5 decodes 3" interpolate vae.h5 --vectors drawn.h5 -o x.h5
rm x.h5
# What samples are judged by takes time and memory as well.
status 0 gan-train ring.h5 --hidden-dim 8,8 --latent-dim 2 --steps 4 --val-every 2 -n
stdout_has '^seconds a validation: '
stdout_has '^validations: 2$'

# ---- what cannot be meant
while IFS='|' read -r options text; do
  # shellcheck disable=SC2086  # words are meant
  status 2 gan-train shapes.h5 $options --steps 1 -o x.h5
  stderr_has "$text"
done <<'T'
--weight-clip 0.01|--weight-clip: momentum drives weights into the bound and keeps them there
--weight-clip 0.01 --optimizer rmsprop --discriminator-optimizer adam|--weight-clip: momentum drives
--learning-rate 0 --discriminator-learning-rate 1e-4|--learning-rate 0 has no schedule to share
--penalty gradient --discriminator-norm batch|with --discriminator-norm batch a row's slope depends on the others
--label-smoothing 0.1 --loss hinge|--loss hinge has no labels
--weight-clip 0.01 --optimizer rmsprop --penalty r1|--penalty r1 bounds the slopes already
--instance-noise-steps 5|--instance-noise-steps: needs --instance-noise
--one-sided-penalty|--penalty none has no sides
--loss wgan|--loss 'wgan': expected
--hidden-dim 0 --net mlp|--hidden-dim '0': expected numbers from 1
--net mlp --base-channels 8|--base-channels has no effect with --net mlp
--net mlp --kernel-size 5|--kernel-size has no effect with --net mlp
--net mlp --bias|--bias has no effect with --net mlp
--hidden-dim 128,128|--hidden-dim has no effect with --net dcgan
--activation relu|--activation has no effect with --net dcgan
--gradient-penalty-weight 10|--gradient-penalty-weight has no effect with --penalty none
--weight-init default --weight-init-gain 2|--weight-init-gain has no effect with --weight-init default
--grad-accum-steps 2 --unroll-steps 1|--grad-accum-steps 2: --unroll-steps 1 looks ahead on a whole batch
--grad-accum-steps 2 --penalty dragan|--grad-accum-steps 2: --penalty dragan moves pictures by the deviation of a whole batch
--val-split 0.5 --val-samples 0|--val-split: what is held out judges samples, but --val-samples is 0
--val-every 1 --val-samples 0|--val-every: samples are validated, but --val-samples is 0
--val-batches 1|--val-batches
--val-samples 5|--val-samples 5: expected 0 or at least 16
--optimizer rmsprop --adam-beta1 0.9|--adam-beta1 has no effect with --optimizer rmsprop
--optimizer rmsprop --adam-beta2 0.9|--adam-beta2 has no effect with --optimizer rmsprop
T
data-pack -q --synthetic noise --synthetic-count 9 --image-size 8 -o noise.h5
status 2 gan-train noise.h5 --class-conditional --steps 1 -o x.h5
stderr_has '--class-conditional: the data have no labels'
status 2 gan-train ring.h5 --hflip --steps 1 -o x.h5
status 1 gan-train noise.h5 --limit 1 --steps 1 -o x.h5
stderr_has 'noise.h5: expected at least 2 to judge samples by, found 1; --val-samples 0 judges none'
# A file of options may serve several networks.
printf 'base-channels = 4\nhidden-dim = "8"\nval-samples = 0\n' >both.toml
status 0 gan-train -q noise.h5 -c both.toml --net mlp --steps 1 -o mlp.h5
check 'nothing was written' test ! -e x.h5
finish
