#!/bin/bash
# A diffusion transformer by class on Fashion-MNIST, padded to 32x32, against the best linear prediction
# of the noise (Wiener). The U-Net's comparison is part of the item classes.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
packed_padded fashion "$fashion"
ddpm-train -q fashion-train.h5 --preset dit-32 --class-conditional --steps 500 --val-data fashion-t10k.h5 --val-every 100 \
  --run-dir run --resume --save-every 2m -o dit.h5
for step in 100 200 500; do echo "step $step: $(metric run/metrics.jsonl $step val_mse)"; done
best=$(wiener fashion)
echo "Wiener: $best"
at_most '500 steps' "$(metric run/metrics.jsonl 500 val_mse)" 0.0600
[ "$misses" = 0 ]
