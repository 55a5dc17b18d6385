#!/bin/bash
# The published VAE of 784-400-40 on digits binarised once by sampling, NLL of all test digits with 200
# importance samples, published as 89.9 nats, with a rate that rises to where this network learns well:
# Adam 2e-3 falling as a cosine, the KL term's weight rising over the first 100 of 500 epochs. What the
# published schedule gives: mnist-sampled-published.sh.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
[ -e train.h5 ] || data-pack -q "$data/mnist/train-images-idx3-ubyte.gz" -o train.h5
[ -e test.h5 ] || data-pack -q "$data/mnist/t10k-images-idx3-ubyte.gz" -o test.h5
vae-train train.h5 --val-data test.h5 --preset mnist-fc --binarize sample --run-dir run --resume --epochs 500 --learning-rate 2e-3 --lr-schedule cosine --kl-warmup-steps 60000 \
  --save-every 2m --val-every 60000 --val-importance-samples 200 --val-importance-images 10000 --log-every 6000 -o vae.h5
for epoch in 100 200 300 400 500; do
  echo "after $epoch epochs: -ELBO $(metric run/metrics.jsonl $((epoch * 600)) val_loss) nats, NLL $(metric run/metrics.jsonl $((epoch * 600)) val_importance_nll) nats"
done
at_most "NLL with 200 samples after 500 epochs, nats" "$(metric run/metrics.jsonl 300000 val_importance_nll)" 90.3
[ "$misses" = 0 ]
