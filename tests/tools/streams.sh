#!/bin/bash
# Where output goes that is no plain file: pipes whose reader is gone, devices, FIFOs, links, and
# spools on a full disk.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
small=(--net fc --hidden-dim 8 --latent-dim 2)
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o shapes.h5
vae-train -q shapes.h5 "${small[@]}" --steps 3 -o vae.h5
data-pack -q shapes.h5 -o packed.h5

# ---- nobody reads: filters die of the signal without a word, a trainer says what it lost
for command in 'data-pack -q shapes.h5 -o -' 'sample vae.h5 -n 3' 'sample vae.h5 -n 3 --format ppm' 'sample vae.h5 -n 3 --format tar' 'sample vae.h5 -n 3 --format hdf5' 'model-info vae.h5'; do
  # shellcheck disable=SC2086  # words are meant
  status 141 unread $command
  status 0 test ! -s stderr
done
status 1 unread vae-train -q shapes.h5 "${small[@]}" --steps 3 -o -
stderr_has 'vae-train: standard output: cannot write: Broken pipe'
status 0 test "$(wc -l <stderr)" = 1
# Records of metrics are no result: without their reader the training goes on.
status 0 unread vae-train -q shapes.h5 "${small[@]}" --steps 3 --log-every 1 --metrics - -o deaf.h5
status 0 test ! -s stderr
status 0 cmp deaf.h5 vae.h5

# ---- what cannot be replaced is written to, and gets the bytes of a file
status 0 bash -c 'data-pack -q shapes.h5 -o /dev/stdout | cat >piped.h5'
status 0 cmp piped.h5 packed.h5
status 0 bash -c 'data-pack -q shapes.h5 -o >(cat >given.h5; : >given.done); until [ -e given.done ]; do sleep 0.1; done'
status 0 cmp given.h5 packed.h5
mkfifo fifo
for command in 'data-pack -q shapes.h5' 'sample vae.h5 --format hdf5' 'sample vae.h5 --format png' 'vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3'; do
  # shellcheck disable=SC2086  # words are meant
  status 0 $command -o whole
  cat fifo >heard &
  # shellcheck disable=SC2086
  status 0 $command -o fifo
  wait $!
  status 0 cmp heard whole
  status 0 test -p fifo
done
if mknod null c 1 3 2>/dev/null && : 2>/dev/null >null; then
  mknod full c 1 7
  for command in 'data-pack -q shapes.h5' 'sample vae.h5 --format hdf5' 'sample vae.h5 --format png' 'vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3'; do
    # shellcheck disable=SC2086  # words are meant
    status 0 $command -o null
    status 0 test -c null
    # shellcheck disable=SC2086
    refused 'full: cannot write: No space left on device' $command -o full
    status 0 test -c full
  done
else
  echo 'skipped: devices: mknod is not allowed here'
fi

# ---- a link stays a link, a private file private
mkdir far
cp vae.h5 far/real.h5
chmod 600 far/real.h5
ln -s far/real.h5 link.h5
status 0 data-pack -q shapes.h5 -o link.h5
status 0 test -L link.h5
status 0 cmp far/real.h5 packed.h5
status 0 test "$(stat -c %a far/real.h5)" = 600
ln -s far link
refused 'link: cannot write: Is a directory' data-pack -q shapes.h5 -o link
status 2 sample far/real.h5 --reconstruct link.h5 -o link.h5 --format hdf5
stderr_has 'would replace what is read'
status 0 cmp far/real.h5 packed.h5

# ---- a full disk below $TMPDIR
cat >full-spool.sh <<'P2'
mount -t tmpfs -o size=16k tmpfs spool || exit 77
try() {  # WANTED COMMAND: status 1, that one line, nothing left in the spool's directory
  TMPDIR=$PWD/spool bash -c "$2" >out 2>err
  got=$?
  [ $got = 1 ] && [ "$(cat err)" = "$1" ] && [ -z "$(ls -A spool)" ] && return
  echo "$2: status $got: $(cat err)"
}
lost='cannot write: No space left on device'
echo 'the old file' >x.h5
try "data-pack: x.h5 (spool in $PWD/spool): $lost" 'data-pack -q shapes.h5 --image-size 32 -o x.h5'
try "data-pack: standard output (spool in $PWD/spool): $lost" 'data-pack -q shapes.h5 --image-size 32 -o -'
try "sample: x.h5 (spool in $PWD/spool): $lost" 'sample vae.h5 -n 300 -o x.h5'
try "sample: standard input (spool in $PWD/spool): $lost" 'cat vae.h5 | sample - -o x.h5'
try "img2vec: x.h5 (spool in $PWD/spool): $lost" 'img2vec -q -m vae.h5 --synthetic noise --synthetic-count 9k --image-size 8 -o x.h5'
try "img2vec: standard output (spool in $PWD/spool): $lost" 'img2vec -q -m vae.h5 --synthetic noise --synthetic-count 9k --image-size 8 --format npy'
try "interpolate: x.h5 (spool in $PWD/spool): $lost" 'interpolate vae.h5 --seeds 1,2 --frames 300 -o x.h5'
try "vae-train: standard output (spool in $PWD/spool): $lost" 'vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3 -o -'
[ -s out ] && echo 'half an output'
try "vae-train: standard input (spool in $PWD/spool): $lost" 'cat shapes.h5 shapes.h5 | vae-train -q - --net fc --hidden-dim 8 --latent-dim 2 --steps 3 -o x.h5'
grep -qx 'the old file' x.h5 || echo 'the old file is gone'
exit 0
P2
mkdir spool
got=0
unshare -m bash full-spool.sh >spool.out 2>&1 || got=$?
last='a full disk below TMPDIR'
if [ $got = 77 ] || ! unshare -m true 2>/dev/null; then
  echo 'skipped: a full disk below TMPDIR: mounting is not allowed here'
else
  cp spool.out stderr
  status 0 test $got = 0
  [ ! -s spool.out ] || fault "$(cat spool.out)"
fi
# A directory for spools that is not there.
status 1 env TMPDIR=/no/such data-pack -q shapes.h5 -o -
stderr_has '/no/such: cannot make a spool: No such file or directory'
finish
