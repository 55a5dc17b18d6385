#!/bin/bash
# The published VAE of 784-400-40 on digits binarised once by sampling, NLL of all test digits with 200
# importance samples, published as 89.9 nats, with a rate that rises to where this network learns well:
# Adam 2e-3 falling as a cosine, the KL term's weight rising over the first 100 of 500 epochs. What the
# published schedule gives: mnist-sampled-published.sh.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
learn_sampled_digits --learning-rate 2e-3 --lr-schedule cosine --kl-warmup-steps 60000
at_most "NLL with 200 samples after 500 epochs, nats" "$(metric run/metrics.jsonl 300000 val_importance_nll)" 90.3
[ "$misses" = 0 ]
