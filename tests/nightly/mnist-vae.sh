#!/bin/bash
# The same VAE on MNIST thresholded at 128 (ATELIER_DATA names a folder with mnist/*.gz): -ELBO and
# importance-sampled NLL after 5, 10 and 20 epochs. Not comparable with figures on digits that were
# binarised by sampling.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
[ -e train.h5 ] || data-pack -q "$data/mnist/train-images-idx3-ubyte.gz" -o train.h5
[ -e test.h5 ] || data-pack -q "$data/mnist/t10k-images-idx3-ubyte.gz" -o test.h5
vae-train train.h5 --val-data test.h5 --preset mnist-fc --run-dir run --resume --epochs 20 --val-every 3000 \
  --val-importance-samples 200 --val-importance-images 2000 -o vae.h5
for row in "5 90.6 84.9" "10 86.3 80.3" "20 84.3 77.7"; do
  read -r epoch elbo nll <<<"$row"
  step=$((epoch * 600))
  within "-ELBO after $epoch epochs, nats" "$(metric run/metrics.jsonl $step val_loss)" "$elbo" 1
  within "importance-sampled NLL after $epoch epochs, nats" "$(metric run/metrics.jsonl $step val_importance_nll)" "$nll" 1
done
echo "KL after 20 epochs, nats: $(metric run/metrics.jsonl 12000 val_kl)"
echo "active units of 40 after 20 epochs: $(metric run/metrics.jsonl 12000 val_active_units)"
[ "$misses" = 0 ]
