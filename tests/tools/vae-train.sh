#!/bin/bash
# vae-train: statuses, equal bytes, resumption, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 61 --image-size 16 -o shapes.h5
small=(--net conv --channels '8,16' --latent-dim 8 --batch-size 16 --likelihood gaussian)

# ---- equal bytes: two runs, any number of threads, both levels
same_bytes vae-train shapes.h5 "${small[@]}" --epochs 2

# ---- what is printed as a configuration reads back, whichever way the length of the run was given
for length in '--steps 3' '--epochs 2' ''; do
  # shellcheck disable=SC2086  # words are meant
  status 0 vae-train shapes.h5 "${small[@]}" $length -o printed.h5 --print-config
  cp stdout printed.toml
  status 0 vae-train -c printed.toml --print-config
  check "the same again with '$length'" cmp stdout printed.toml
done
status 0 vae-train -c printed.toml --steps 3 --print-config
check 'what is typed takes the place of the epochs of the file' test "$(grep -cE '^(steps|epochs) = ' stdout)" = 1
stdout_has '^steps = 3$'

# ---- files tell which binarisation was trained on: figures of the two kinds are not comparable
for kind in threshold sample; do
  status 0 vae-train shapes.h5 --net fc --hidden-dim 16 --latent-dim 2 --likelihood bernoulli --binarize $kind --seed 5 --steps 2 -o $kind.h5
  status 0 model-info $kind.h5
  stdout_has "^training.binarize: $kind$"
  stdout_has '^training.seed: 5$'
done
status 1 h5diff -q threshold.h5 sample.h5 /model
echo "summary: A11b: --binarize threshold and sample, and their seed, are in the file's metadata; their weights differ"

# ---- resumption: stopped after each few updates, the end is the same file
full=(shapes.h5 "${small[@]}" --steps 24 --grad-accum-steps 2 --ema-decay '0.9,0.99' --hflip --crop-padding 1
  --val-split 0.2 --val-every 6 --val-importance-samples 3)
status 0 vae-train "${full[@]}" --run-dir straight -o straight.h5
# A limit that is over at once lets one update, or one validation, through: 24 and 4 of them.
for attempt in $(seq 40); do
  vae-train "${full[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
done
last="resumed run"
status 0 test "$attempt" = 28
status 0 cmp straight.h5 broken.h5
status 0 cmp straight/step-00000024.h5 broken/step-00000024.h5
status 0 cmp straight/best.h5 broken/best.h5
[ $faults = 0 ] && echo "summary: A14: 24 updates in $attempt parts, saved and loaded between them: bytes equal"
status 0 vae-train -c straight/config.toml shapes.h5 --run-dir repeated -o repeated.h5
status 0 cmp straight.h5 repeated.h5
# So does that of a run that was stopped and resumed, without naming the data again.
status 0 vae-train -c broken/config.toml --run-dir again -o again.h5
status 0 cmp straight.h5 again.h5
status 0 vae-train -c broken/config.toml --epochs 1 --val-every 1 -o other.h5
stdout_is ''

# ---- held-out pictures that are trained on
status 0 vae-train shapes.h5 "${small[@]}" --steps 1 --val-data shapes.h5 -o held.h5
stderr_has 'held-out pictures are also among those trained on'
cp shapes.h5 precious.h5
status 2 vae-train precious.h5 "${small[@]}" --steps 1 --metrics precious.h5 -o x.h5
status 0 cmp shapes.h5 precious.h5

# ---- signals
vae-train shapes.h5 "${small[@]}" --steps 100k --run-dir signalled 2>stderr &
pid=$!
sleep 1.5
kill -TERM $pid
wait $pid
got=$?
status 0 test $got = 75
status 0 test -n "$(ls signalled/step-*.h5)"
vae-train shapes.h5 "${small[@]}" --steps 100k --run-dir signalled --resume 2>stderr &
pid=$!
sleep 1
status 1 vae-train shapes.h5 "${small[@]}" --steps 100k --run-dir signalled --resume
stderr_has 'in use by process'
kill -KILL $pid
wait $pid 2>/dev/null
status 75 vae-train shapes.h5 "${small[@]}" --steps 100k --run-dir signalled --resume --max-time 0.2s

# ---- other ways to start and to look
status 0 vae-train shapes.h5 "${small[@]}" --steps 0 -o fresh.h5
status 0 vae-train shapes.h5 "${small[@]}" --steps 5 --init fresh.h5 -o warm.h5
stderr_has 'tensors taken'
status 0 model-info warm.h5
stdout_has '^inputs.init_digest: [0-9a-f]{16}$'
# A resumed run remembers what it began with.
status 75 vae-train -q shapes.h5 "${small[@]}" --steps 5 --init fresh.h5 --run-dir begun --max-time 0.0001s -o x.h5
until vae-train -q shapes.h5 "${small[@]}" --steps 5 --run-dir begun --resume --max-time 0.0001s -o begun.h5; do :; done
status 0 cmp warm.h5 begun.h5
status 0 vae-train shapes.h5 "${small[@]}" --steps 50 --dry-run
stdout_has '^parameters: '
status 0 vae-train shapes.h5 "${small[@]}" --steps 60 --metrics - --log-every 20
stdout_has '"images_per_second"'
status 0 vae-train shapes.h5 --net fc --hidden-dim '' --activation none --no-variational --likelihood gaussian --output-activation linear --latent-dim 4 --steps 5 -o linear.h5
status 0 vae-train --synthetic noise --synthetic-count 20 --image-size 8 --net fc --hidden-dim 16 --latent-dim 2 --steps 3 -o noise.h5

# ---- bad input: one line, the right status, nothing half written
status 2 vae-train
stderr_has 'DATA is missing'
status 2 vae-train shapes.h5 --steps 5
stderr_has 'give -o FILE'
status 2 vae-train shapes.h5 --stepz 5 -o x.h5
stderr_has "unknown option '--stepz'; is it --steps?"
status 2 vae-train shapes.h5 --learning-rate 1,5 --steps 5 -o x.h5
stderr_has "--learning-rate '1,5'"
status 2 vae-train shapes.h5 --steps 5 --epochs 5 -o x.h5
stderr_has 'exclude each other'
status 2 vae-train shapes.h5 --steps 5 --net fc --norm batch -o x.h5
stderr_has '--norm has no effect with --net fc'
status 2 vae-train shapes.h5 --steps 5 --likelihood bernoulli --sigma unit -o x.h5
stderr_has '--sigma has no effect with --likelihood bernoulli'
status 2 vae-train shapes.h5 --steps 5 --latent-dim 0 -o x.h5
status 2 vae-train shapes.h5 --steps 5 --batch-size 16 --grad-accum-steps 3 -o x.h5
stderr_has 'does not divide'
status 2 vae-train shapes.h5 --steps 5 --ema-decay 2 -o x.h5
echo 'lerning-rate = 1' >bad.toml
status 2 vae-train -c bad.toml shapes.h5 --steps 5 -o x.h5
stderr_has "bad.toml:1: unknown key 'lerning-rate'"
status 2 vae-train shapes.h5 "${small[@]}" --steps 1 -o ./shapes.h5
stderr_has 'would replace what is read'
status 1 vae-train missing.h5 --steps 5 -o x.h5
stderr_has 'missing.h5: '
status 1 vae-train one.h5 --steps 5 -o x.h5
status 2 vae-train --synthetic ring --steps 5 -o x.h5
stderr_has '--synthetic ring: draws vectors, expected pictures: noise or shapes'
status 0 test ! -e x.h5
head -c 1000 shapes.h5 >cut.h5
status 1 vae-train cut.h5 --steps 5 -o x.h5
stderr_has 'truncated'
: >empty.h5
status 1 vae-train empty.h5 --steps 5 -o x.h5
stderr_has 'empty'
cp one.h5 kept.h5
status 1 vae-train shapes.h5 "${small[@]}" --steps 5 --resume=one.h5 -o kept.h5
stderr_has 'finished model'
status 0 cmp one.h5 kept.h5
status 1 vae-train shapes.h5 "${small[@]}" --steps 25 --grad-accum-steps 2 --ema-decay 0.9,0.99 --run-dir straight --resume -o kept.h5
stderr_has "training option 'steps' was 24, is 25"
status 2 vae-train shapes.h5 "${small[@]}" --steps 5 --run-dir straight -o kept.h5
stderr_has 'holds a run already'
status 0 cmp one.h5 kept.h5
status 1 vae-train shapes.h5 "${small[@]}" --steps 5 -o no/such/directory/x.h5
stderr_has 'no/such/directory/x.h5'
status 1 bash -c 'vae-train shapes.h5 --net fc --hidden-dim 16 --latent-dim 2 --steps 2 -o - >/dev/full 2>stderr'
status 1 vae-train shapes.h5 "${small[@]}" --steps 30 --learning-rate 1e30 --run-dir diverges -o x.h5
stderr_has 'diverged at step'
status 0 test ! -e x.h5
finish
