#!/bin/bash
# A training of a large network that saves after every update, killed by SIGKILL 100 times at
# random instants, at least 30 times inside a save, as the temporary it leaves proves. After each
# kill the newest checkpoint is whole and not older than the one before, the next run goes on from
# that one, and removes what the killed one left. A run that gets to its end has the bytes of one
# that was never killed. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
rm -rf straight straight.h5 broken broken.h5 failed-*
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
recipe=(vae-train shapes.h5 --net fc --hidden-dim 2048 --latent-dim 32 --likelihood gaussian
  --batch-size 16 --steps 400 --save-every 1)
begin=$(now)
"${recipe[@]}" --run-dir straight -o straight.h5 2>/dev/null
length=$(awk "BEGIN { printf \"%.1f\", $(now) - $begin }")
echo "uninterrupted run: 400 updates and saves of $(($(stat -c %s straight/step-00000400.h5) / 1000000)) MB in $length s"

kills=0 inside=0 ended=0 faults=0
while [ $kills -lt 100 ] || [ $inside -lt 30 ]; do
  [ $kills -lt 300 ] || break
  kill_once broken broken.h5 "$(uniform "$(awk "BEGIN { print $length / 10 }")")" "${recipe[@]}"
  if [ "$outcome" = ended ]; then
    ended=$((ended + 1))
    cmp straight.h5 broken.h5 || faults=$((faults + 1))
    cmp straight/step-00000400.h5 broken/step-00000400.h5 || faults=$((faults + 1))
    rm -rf broken broken.h5
    continue
  fi
  kills=$((kills + 1))
  [ "$left" = 0 ] || inside=$((inside + 1))
  [ "$outcome" = whole ] || { faults=$((faults + 1)); rm -rf "failed-$kills"; cp -r broken "failed-$kills"; }
  printf 'kill %3d: temporaries %d, newest %s: %s\n' $kills "$left" "${newest##*/}" "$outcome"
done
rm -rf straight broken
echo "summary: kills: $kills SIGKILLs, $inside inside a save, $faults faults; $ended runs killed on the way ended in equal bytes"
[ $faults = 0 ] && [ $inside -ge 30 ]
