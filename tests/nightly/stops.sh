#!/bin/bash
# Runs of a batch-norm VAE with accumulation, two averages, augmentation, validation with
# importance samples, grids and frequent saves, each stopped once at a random instant by SIGTERM,
# SIGUSR1 or SIGKILL and resumed with other thread counts: the bytes of an uninterrupted run. At
# least 20 stops, at least 5 of them inside a save, a validation or a grid. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
rm -rf straight straight.h5 broken broken.h5 pilot failed-*
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
recipe=(vae-train shapes.h5 --net conv --channels '8,16' --latent-dim 8 --likelihood gaussian --batch-size 16
  --grad-accum-steps 2 --ema-decay '0.9,0.99' --hflip --crop-padding 1 --val-split 0.2 --val-every 10
  --val-importance-samples 8 --sample-every 15 --sample-grid 16x16 --save-every 4 --log-every 1)
# A run of about 30 s on this machine.
begin=$(now)
"${recipe[@]}" --steps 200 --run-dir pilot -o pilot.h5 2>/dev/null
steps=$(awk "BEGIN { n = int(30 * 200 / ($(now) - $begin) / 10) * 10; print (n > 200 ? n : 200) }")
rm -rf pilot pilot.h5
while :; do
  rm -rf straight straight.h5
  begin=$(now)
  "${recipe[@]}" --steps "$steps" -j 2 --run-dir straight -o straight.h5 2>/dev/null
  length=$(awk "BEGIN { printf \"%.1f\", $(now) - $begin }")
  ! awk "BEGIN { exit !($length >= 22) }" || break
  steps=$((steps * 3 / 2))
done
echo "uninterrupted run: $steps updates, $length s"
awk "BEGIN { exit !($length >= 20) }" || misses=$((misses + 1))

stops=0 inside=0 different=0
while [ $stops -lt 20 ] || [ $inside -lt 5 ]; do
  [ $stops -lt 60 ] || break
  instant=$(uniform "$length")
  signals=(TERM USR1 KILL)
  signal=${signals[RANDOM % 3]}
  stop_once broken broken.h5 "$instant" "$signal" "${recipe[@]}" --steps "$steps"
  [ "$hit" = 'too late' ] && continue
  stops=$((stops + 1))
  case $hit in save* | validation | grid) inside=$((inside + 1)) ;; esac
  verdict=equal
  if ! stop_is_right "$signal" "$steps" || ! same_run straight straight.h5 broken broken.h5; then
    verdict=DIFFERENT different=$((different + 1))
    rm -rf "failed-$stops" && cp -r broken "failed-$stops"
  fi
  printf 'stop %2d: SIG%-4s at %5.1f s, inside: %-18s status %3d, resumed: %s\n' \
    $stops "$signal" "$instant" "$hit" "$stopped" $verdict
done
echo "summary: stops: $stops of runs of $length s, $inside inside a save, validation or grid, $different with other bytes"
[ "$misses" = 0 ] && [ $different = 0 ] && [ $inside -ge 5 ]
