#!/bin/bash
# Filters that a signal ends in the middle of writing: the status says so, the temporary is gone, the
# old file is as it was.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 20 --image-size 8 -o shapes.h5
vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 2 -o vae.h5
echo 'an earlier file' >old
cases=0

# ends SIGNAL STATUS FILE COMMAND...: the signal comes when the temporary of FILE is there.
# Shells start background jobs with SIGINT ignored; env undoes it.
ends() {
  local signal=$1 want=$2 file=$3 got=0 tries
  shift 3
  last="$* ended by SIG$signal"
  cp old "$file"
  env --default-signal=INT "$@" 2>stderr &
  for tries in $(seq 500); do
    [ -z "$(find . -maxdepth 1 -name ".$file.*.tmp")" ] || break
    sleep 0.01
  done
  [ "$tries" -lt 500 ] || fault 'no temporary file was seen'
  kill "-$signal" $!
  wait $! 2>/dev/null || got=$?
  cases=$((cases + 1)) checks=$((checks + 4))
  [ "$got" = "$want" ] || fault "expected status $want, found $got"
  [ -z "$(find . -name '.*.tmp')" ] || fault "left behind: $(find . -name '.*.tmp')"
  cmp -s old "$file" || fault "$file has changed"
  [ ! -s stderr ] || fault 'expected silence'
  rm -f -- .*.tmp
}
for row in INT:130 TERM:143 HUP:129 PIPE:141; do
  ends "${row%:*}" "${row#*:}" big.h5 data-pack -q --synthetic noise --synthetic-count 10M --image-size 64 -o big.h5
  ends "${row%:*}" "${row#*:}" big.ppm sample -q -n 1M vae.h5 -o big.ppm
  ends "${row%:*}" "${row#*:}" big.csv img2vec -q -m vae.h5 --synthetic noise --synthetic-count 10M --image-size 8 -o big.csv
  ends "${row%:*}" "${row#*:}" big.npy img2vec -q -m vae.h5 --synthetic noise --synthetic-count 10M --image-size 8 -o big.npy
  ends "${row%:*}" "${row#*:}" way.ppm interpolate -q vae.h5 --seeds 1,2 --frames 1M -o way.ppm
  ends "${row%:*}" "${row#*:}" big.tar sample -q -n 1M vae.h5 -o big.tar
done
echo "summary: signals: $cases filters ended in the middle of writing"

# What the caller ignores, as nohup does, stays ignored.
status 0 bash -c 'trap "" HUP; data-pack -q --synthetic noise --synthetic-count 3000 --image-size 32 -o kept.h5 &
  sleep 0.05; kill -HUP $!; wait $!'
status 0 model-info --check kept.h5
finish
