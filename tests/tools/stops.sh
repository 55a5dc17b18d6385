#!/bin/bash
# Trainings that are stopped, killed, or whose calls fail: the short form of the nightly proofs
# stops, kills and faults.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
support=$(cd "$OLDPWD" && cd "$(dirname "$0")/../support" && pwd)
# shellcheck source=tests/support/interrupt.sh
. "$support/interrupt.sh"
# shellcheck source=tests/support/faults.sh
. "$support/faults.sh"
RANDOM=1
: >stderr
wrong() {
  last=$1
  fault "$2"
}
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o shapes.h5

# ---- stopped at random instants and resumed: the bytes of a run that was not
recipe=(vae-train shapes.h5 --net conv --channels '4,8' --latent-dim 4 --likelihood gaussian --batch-size 8 --steps 90
  --grad-accum-steps 2 --ema-decay '0.9,0.99' --hflip --crop-padding 1 --val-split 0.3 --val-every 6
  --val-importance-samples 4 --sample-every 5 --sample-grid 4x4 --save-every 4 --log-every 1)
begin=$(now)
status 0 "${recipe[@]}" -j 2 --run-dir straight -o straight.h5
length=$(awk "BEGIN { print $(now) - $begin }")
stops=0 inside=0
for attempt in $(seq 20); do
  [ $stops -lt 6 ] || break
  signal=$(cut -d' ' -f$((stops % 3 + 1)) <<<'TERM USR1 KILL')
  stop_once broken broken.h5 "$(uniform "$length")" "$signal" $((RANDOM % 3 + 1)) "${recipe[@]}"
  [ "$hit" = 'too late' ] && continue
  stops=$((stops + 1)) checks=$((checks + 1))
  case $hit in save* | validation | grid) inside=$((inside + 1)) ;; esac
  { stop_is_right "$signal" 90 && same_run straight straight.h5 broken broken.h5; } >said 2>&1 ||
    wrong "SIG$signal inside $hit, attempt $attempt" "$(cat said)"
done
echo "summary: stops: $stops, $inside inside a save, validation or grid"

# ---- killed while saving after every update: the newest checkpoint is whole
endless=(vae-train shapes.h5 --net fc --hidden-dim 1024 --latent-dim 8 --likelihood gaussian --batch-size 8
  --steps 100k --save-every 1)
kills=0 inside=0 newest=
for attempt in $(seq 20); do
  [ $kills -lt 10 ] || break
  kill_once killed killed.h5 "$(uniform 0.5)" "${endless[@]}"
  kills=$((kills + 1)) checks=$((checks + 1))
  [ "$left" = 0 ] || inside=$((inside + 1))
  [ "$outcome" = whole ] || wrong "kill $attempt" "$outcome"
done
echo "summary: kills: $kills, $inside inside a save"
status 75 "${endless[@]}" --run-dir killed --resume --max-time 0.01s
status 0 test -z "$(temporaries .)"

# ---- calls that fail
still_whole() { :; }
prepare() { rm -rf run; }
cases=0
injected() {
  if ! can_inject; then
    echo "skipped: failing calls: strace cannot make them fail here"
    return
  fi
  sweep vae-train vae-train out.h5 ENOSPC 13 -- vae-train shapes.h5 --net fc --hidden-dim 4 --latent-dim 2 --steps 1 -j 1 -q \
    --run-dir run -o out.h5
  sweep sample sample out.tar ENOSPC 4 -- sample -q -j 1 -n 2 straight.h5 -o out.tar
}
injected >said
grep -E '^skipped: ' said
grep -vE '^skipped: |: [0-9]+ [a-z]' said
checks=$((checks + cases))
echo "summary: failing calls: $cases"

# ---- a limit on file sizes is an error like others
echo 'an earlier file' >kept.h5
status 1 bash -c 'ulimit -f 1 && exec data-pack --synthetic shapes --synthetic-count 40 --image-size 8 -o kept.h5'
stderr_has 'cannot write: File too large'
status 0 test "$(cat kept.h5)" = 'an earlier file'
status 0 test -z "$(temporaries .)"
finish
