#!/bin/bash
# Networks that denoise, against the best linear prediction (Wiener): a diffusion transformer by class on
# Fashion-MNIST and a U-Net on MNIST (of ATELIER_DATA), both at 32x32.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
for part in train t10k; do
  [ -e fashion-$part.h5 ] || data-pack -q "$fashion/$part-images-idx3-ubyte.gz" --labels "$fashion/$part-labels-idx1-ubyte.gz" --image-size 32 -o fashion-$part.h5
  [ -e mnist-$part.h5 ] || data-pack -q "$data/mnist/$part-images-idx3-ubyte.gz" --labels "$data/mnist/$part-labels-idx1-ubyte.gz" --image-size 32 -o mnist-$part.h5
done
value() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
for name in fashion mnist; do
  [ -s $name.json ] || { model-eval -q --baselines $name-train.h5 --unseen $name-t10k.h5 --json >part && mv part $name.json; }
done
ddpm-train -q fashion-train.h5 --preset dit-32 --class-conditional --steps 500 --val-data fashion-t10k.h5 --val-every 100 \
  --run-dir run-dit --resume --save-every 2m -o dit.h5
ddpm-train -q mnist-train.h5 --preset unet-32 --epochs 3 --val-data mnist-t10k.h5 --run-dir run-unet --resume --save-every 2m -o unet.h5
for step in 100 200 500; do echo "DiT on Fashion-MNIST, step $step: $(metric run-dit/metrics.jsonl $step val_mse)"; done
for epoch in 1 2 3; do echo "U-Net on MNIST, epoch $epoch: $(metric run-unet/metrics.jsonl $((epoch * 938)) val_mse)"; done
echo "Wiener: Fashion-MNIST $(value fashion.json wiener_linear_epsilon), MNIST $(value mnist.json wiener_linear_epsilon)"
at_most 'DiT, 500 steps' "$(metric run-dit/metrics.jsonl 500 val_mse)" 0.0600
at_most 'U-Net, one epoch' "$(metric run-unet/metrics.jsonl 938 val_mse)" "$(value mnist.json wiener_linear_epsilon)"
[ "$misses" = 0 ]
