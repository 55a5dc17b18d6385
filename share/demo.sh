#!/bin/sh
# The main job on the avatars in share/: pack, train a convolutional VAE for about two minutes,
# reconstruct held-out pictures, sample new ones. demo.sh BIN_DIR; the results lie in demo/.
set -eu
cd "$(dirname "$0")/.."
bin=$1
out=demo
rm -rf "$out"
mkdir "$out"

run() {
  printf '$ %s\n' "$*"
  "$@"
}
PATH=$(cd "$bin" && pwd):$PATH
export PATH
run data-pack share/avatars-cc0-32.tar.gz -o $out/avatars.h5
model=$out/vae.h5
run vae-train $out/avatars.h5 -o $model --run-dir $out/run --preset avatars \
  --epochs "${DEMO_EPOCHS:-40}" --val-split 0.1 --max-time "${DEMO_TIME:-6m}" || {
  [ $? -eq 75 ]
  # A slow or busy machine: the pictures come from where the training stands.
  for model in "$out"/run/step-*.h5; do :; done
  echo "stopped by --max-time; the same command with --resume goes on"
}
run sample "$model" --reconstruct $out/avatars.h5 --held-out 0.1 -n 32 --grid 8x8 -o $out/reconstructions.png
run sample "$model" -n 64 --grid 8x8 -o $out/samples.png
echo
echo "pairs of held-out pictures and their reconstructions: $out/reconstructions.png"
echo "new pictures: $out/samples.png"
