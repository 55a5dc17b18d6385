#!/bin/bash
# How well networks tell the noise, against the best linear prediction of it (Wiener), on pictures padded
# to 32x32: a diffusion transformer by class on Fashion-MNIST, a U-Net by class on MNIST (of ATELIER_DATA).
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
packed_padded fashion "$fashion"
packed_padded mnist "$data/mnist"
ddpm-train -q fashion-train.h5 --preset dit-32 --class-conditional --steps 500 --val-data fashion-t10k.h5 --val-every 100 \
  --run-dir run --resume --save-every 2m -o dit.h5
for step in 100 200 500; do echo "DiT, step $step: $(metric run/metrics.jsonl $step val_mse)"; done
echo "Wiener on Fashion-MNIST: $(wiener fashion)"
ddpm-train -q mnist-train.h5 --preset unet-32 --prediction-type epsilon --beta-schedule linear --class-conditional --epochs 3 \
  --val-data mnist-t10k.h5 --run-dir run-unet --resume --save-every 5m -o unet.h5
for epoch in 1 2 3; do echo "U-Net, epoch $epoch: $(metric run-unet/metrics.jsonl $((epoch * 938)) val_mse)"; done
echo "Wiener on MNIST: $(wiener mnist)"
at_most 'DiT, 500 steps' "$(metric run/metrics.jsonl 500 val_mse)" 0.0600
at_most 'U-Net, one epoch' "$(metric run-unet/metrics.jsonl 938 val_mse)" "$(wiener mnist)"
[ "$misses" = 0 ]
