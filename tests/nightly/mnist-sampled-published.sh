#!/bin/bash
# As mnist-sampled.sh with the published schedule (benchmark_VAE's reproduction of Kingma and Welling
# 2013): Adam 1e-4, times 10^(-1/5) at epochs 200 and 350, which stays two nats behind here, and in plain
# PyTorch on digits that were sampled the same way does so too. The table is what it is.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
[ -e train.h5 ] || data-pack -q "$data/mnist/train-images-idx3-ubyte.gz" -o train.h5
[ -e test.h5 ] || data-pack -q "$data/mnist/t10k-images-idx3-ubyte.gz" -o test.h5
vae-train train.h5 --val-data test.h5 --preset mnist-fc --binarize sample --run-dir run --resume --epochs 500 --learning-rate 1e-4 --lr-schedule step --lr-milestones 200,350 \
  --lr-gamma 0.63095734448 \
  --save-every 2m --val-every 60000 --val-importance-samples 200 --val-importance-images 10000 --log-every 6000 -o vae.h5
for epoch in 100 200 300 400 500; do
  echo "after $epoch epochs: -ELBO $(metric run/metrics.jsonl $((epoch * 600)) val_loss) nats, NLL $(metric run/metrics.jsonl $((epoch * 600)) val_importance_nll) nats"
done
