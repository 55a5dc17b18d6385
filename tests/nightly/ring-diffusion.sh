#!/bin/bash
# A diffusion model on eight Gaussians on a ring of radius 1 and deviation 0.1, whose exact score is
# known: three residual layers of 128, Adam 1e-3 as a cosine, 10,000 steps of 256, averaged. What its
# error is above that of the exact score, and where 10,000 samples by 100 steps of DDIM lie.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -e ring.h5 ] || data-pack -q --synthetic ring --synthetic-radius 1 --synthetic-std 0.1 --synthetic-count 500000 -o ring.h5
[ -e fresh.h5 ] || data-pack -q --synthetic ring --synthetic-radius 1 --synthetic-std 0.1 --synthetic-count 520000 -o fresh.h5
printf '%-8s %10s %10s %10s %10s %10s\n' steps excess good least most distance
value() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
for steps in 1000 2500 5000 10000; do
  [ -e m$steps.h5 ] || ddpm-train -q ring.h5 --net mlp --embed-dim 128 --depth 3 --batch-size 256 --learning-rate 1e-3 --ema-decay 0.999 \
    --steps $steps --run-dir run-$steps --resume --save-every 2m -o m$steps.h5
  [ -s m$steps.modes ] || { sample -q m$steps.h5 -n 10000 --sampler ddim --sample-steps 100 --batch-size 1000 -o p$steps.h5 && model-eval -q p$steps.h5 --modes ring.h5 --plot p$steps.svg --json >part && mv part m$steps.modes; }
  [ -s m$steps.excess ] || { model-eval -q fresh.h5 --limit 20000 --denoising m$steps.h5 --json >part && mv part m$steps.excess; }
  printf '%-8s %10.5f %10.4f %10.4f %10.4f %10.4f\n' $steps "$(value m$steps.excess excess_epsilon_mse)" "$(value m$steps.modes good_fraction)" \
    "$(value m$steps.modes basin_min)" "$(value m$steps.modes basin_max)" "$(value m$steps.modes sliced_wasserstein)"
done
at_most 'error above the exact score' "$(value m10000.excess excess_epsilon_mse)" 0.002
at_least 'within three deviations' "$(value m10000.modes good_fraction)" 0.93
at_most 'sliced Wasserstein distance' "$(value m10000.modes sliced_wasserstein)" 0.03
[ "$misses" = 0 ]
