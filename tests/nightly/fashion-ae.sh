#!/bin/bash
# Autoencoders with 16 numbers on Fashion-MNIST, batch 100, Adam with cosine decay, 10 epochs: the
# linear one must end just above 16 principal components (test error 16.030, sum of squares a
# picture), 784-256-16 far below.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -e train.h5 ] || data-pack -q $fashion/train-images-idx3-ubyte.gz -o train.h5
[ -e test.h5 ] || data-pack -q $fashion/t10k-images-idx3-ubyte.gz -o test.h5
vae-train train.h5 --val-data test.h5 --preset linear --run-dir linear --resume --epochs 10
linear=$(metric linear/metrics.jsonl 6000 val_squared_error)
at_least "error of the linear autoencoder" "$linear" 16.030
at_most "error of the linear autoencoder" "$linear" 16.142
vae-train train.h5 --val-data test.h5 --preset linear --hidden-dim 256 --activation relu --output-activation sigmoid --learning-rate 1e-3 \
  --run-dir nonlinear --resume --epochs 10
at_most "error of 784-256-16" "$(metric nonlinear/metrics.jsonl 6000 val_squared_error)" 9.7
[ "$misses" = 0 ]
