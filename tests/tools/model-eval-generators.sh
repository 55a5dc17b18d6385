#!/bin/bash
# model-eval on points of toys and on diffusion models: modes, bounds, errors by timestep, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 300 --image-size 16 -o real.h5
data-pack -q --synthetic shapes --synthetic-count 200 --synthetic-seed 1 --image-size 16 -o unseen.h5
data-pack -q --synthetic noise --synthetic-count 30 --image-size 16 -o noise.h5
vae-train -q real.h5 --net conv --channels 8,16 --latent-dim 4 --steps 2 -o vae.h5

# ---- modes of toys
ring=(data-pack -q --synthetic ring --synthetic-radius 1 --synthetic-std 0.1)
"${ring[@]}" --synthetic-count 10k -o ring.h5
"${ring[@]}" --synthetic-count 4k --synthetic-seed 1 -o points.h5
data-pack -q --synthetic swiss-roll --synthetic-count 2k -o roll.h5
status 0 model-eval points.h5 --modes ring.h5 --plot points.svg
cp stdout modes.out
stdout_has '^toy: ring$'
stdout_has '^rows: 4000$'
stdout_has '^reference_rows: 10000$'
stdout_has '^modes_covered: 8$'
status 0 test "$(cut -d: -f1 modes.out | paste -sd ' ')" = 'toy rows reference_rows modes modes_covered good_fraction basin_min basin_max basin_0 basin_1 basin_2 basin_3 basin_4 basin_5 basin_6 basin_7 sliced_wasserstein sliced_wasserstein_real'
# Four standard errors of a share of 4000, the rest as the same of any two samples.
is "$(value good_fraction modes.out) > 0.98889 - 0.0067 && $(value good_fraction modes.out) < 0.98889 + 0.0067"
is "$(value basin_min modes.out) > 0.125 - 0.021 && $(value basin_max modes.out) < 0.125 + 0.021"
is "$(value sliced_wasserstein modes.out) < 4 * $(value sliced_wasserstein_real modes.out)"
check 'the drawing has eight circles' test "$(grep -c '<circle' points.svg)" = 8
status 0 python3 -c 'import xml.dom.minidom as x; x.parse("points.svg")'
status 0 bash -c 'cat points.h5 | model-eval - --modes ring.h5 -j 3'
stdout_is "$(cat modes.out)\n"
status 0 bash -c 'model-eval points.h5 --modes ring.h5 --json >modes.json'
status 0 python3 -c 'import json; d = json.load(open("modes.json")); assert d["modes_covered"] == 8 and d["toy"] == "ring"'
# Points of another place are far from all of it.
data-pack -q --synthetic grid --synthetic-count 4k -o grid.h5
status 1 model-eval grid.h5 --modes ring.h5 --fail-below modes_covered=8,good_fraction=0.9 --fail-above sliced_wasserstein=0.1,basin_max=0.9
stderr_has 'modes_covered 0 is below 8'
stderr_has 'good_fraction 0 is below 0.9'
stderr_has ' is above 0.1'
status 0 test "$(wc -l <stderr)" = 3
status 0 model-eval points.h5 --modes ring.h5 --mode-points 100000
stdout_has '^modes_covered: 0$'
status 0 model-eval roll.h5 --modes roll.h5
stdout_is 'toy: swiss-roll\nrows: 2000\nreference_rows: 2000\nsliced_wasserstein: 0\nsliced_wasserstein_real: '"$(value sliced_wasserstein_real stdout)"'\n'

# ---- diffusion models: the bound, errors by timestep beside the best linear and the best denoiser
ddpm-train -q ring.h5 --embed-dim 16 --depth 1 --batch-size 256 --learning-rate 3e-3 --steps 150 -o points-ddpm.h5
few=(--limit 200 --visited-timesteps 20)
back=(--inversion-steps 10)
status 0 model-eval points.h5 --likelihood points-ddpm.h5 "${few[@]}" -j 1
cp stdout bound.out
stdout_has '^mse: [0-9.]+ mean square$'
for key in vlb vlb_standard_error vlb_prior vlb_divergence vlb_decoder; do
  stdout_has "^$key: [0-9.e-]+ bits/dimension of the density$"
done
is "$(value vlb bound.out) - ($(value vlb_prior bound.out)) - ($(value vlb_divergence bound.out)) - ($(value vlb_decoder bound.out)) < 1e-4"
status 0 model-eval points.h5 --likelihood points-ddpm.h5 "${few[@]}" -j 3 --batch-size 7
stdout_is "$(cat bound.out)\n"
# Of one row: no standard error, and of the quarters that it was not noised to nothing.
status 0 model-eval points.h5 --likelihood points-ddpm.h5 --limit 1 --visited-timesteps 5
check 'what has no value is not printed' test "$(grep -cE 'nan|standard_error' stdout)" = 0
status 0 test "$(grep -c '^mse_q[1-4]: ' stdout)" = 1
status 1 model-eval points.h5 --likelihood points-ddpm.h5 --limit 1 --visited-timesteps 5 --fail-above vlb_standard_error=9
stderr_has 'vlb_standard_error has no value for these data'
status 0 bash -c 'cat points.h5 | model-eval - --likelihood points-ddpm.h5 --limit 200 --visited-timesteps 20'
stdout_is "$(cat bound.out)\n"
# A ring's own bits: log2(8) / 2 for the mode, and those of its Gaussian; no bound is below.
is "$(value vlb bound.out) > 0.2"
status 0 model-eval ring.h5 --unseen points.h5 --denoising points-ddpm.h5 "${few[@]}" "${back[@]}" --timesteps 250,50 -j 1
cp stdout denoising.out
status 0 test "$(cut -d: -f1 denoising.out | paste -sd ' ')" = 'model train_rows rows epsilon_mse x0_mse v_mse excess_epsilon_mse wiener_epsilon_mse wiener_x0_mse wiener_v_mse epsilon_mse_050 x0_mse_050 v_mse_050 excess_epsilon_mse_050 wiener_epsilon_mse_050 wiener_x0_mse_050 wiener_v_mse_050 epsilon_mse_250 x0_mse_250 v_mse_250 excess_epsilon_mse_250 wiener_epsilon_mse_250 wiener_x0_mse_250 wiener_v_mse_250 inversion_mse'
is "$(value excess_epsilon_mse denoising.out) < $(value epsilon_mse denoising.out) && $(value excess_epsilon_mse denoising.out) > 0"
status 0 model-eval ring.h5 --unseen points.h5 --denoising points-ddpm.h5 "${few[@]}" "${back[@]}" --timesteps 50,250 -j 3 --batch-size 9
stdout_is "$(cat denoising.out)\n"
status 0 model-eval ring.h5 --held-out 0.3 --denoising points-ddpm.h5 "${few[@]}" --inversion-steps 0
cp stdout held.out
status 1 grep -q inversion_mse held.out
is "$(value rows held.out) + $(value train_rows held.out) == 200"
status 0 test "$(grep -c '^wiener_v_mse_[0-9][0-9][0-9]: ' held.out)" = 10
status 0 ddpm-train -q real.h5 --base-channels 4 --channel-mult 1,2 --attention-sizes 8 --batch-size 8 --beta-schedule cosine --num-timesteps 20 --class-conditional --steps 2 -o ddpm.h5
status 0 model-eval unseen.h5 --likelihood ddpm.h5 --limit 9
stdout_has '^vlb: [0-9.]+ bits/dimension$'
status 0 model-eval real.h5 --held-out 0.3 --denoising ddpm.h5 --limit 40 --fail-above wiener_v_mse_19=9,epsilon_mse_19=9,inversion_mse=99
status 0 model-eval unseen.h5 --denoising ddpm.h5 --limit 1
status 0 sample ddpm.h5 -n 2 -o usual.h5
status 2 sample ddpm.h5 -n 2 --sample-steps 50 -o usual.h5
stderr_has 'expected 1 to 20'
status 0 model-eval unseen.h5 --denoising ddpm.h5 --limit 1
stderr_has 'warning: no linear denoiser to compare with: a covariance needs at least 2 rows'
status 2 model-eval unseen.h5 --denoising ddpm.h5 --limit 9 --fail-above typo=1
stderr_has "no figure 'typo': there are train_rows, rows, epsilon_mse, "
stdout_is ''
status 2 model-eval unseen.h5 --likelihood ddpm.h5 --limit 9 --fail-above typo=1
stderr_has ', vlb_decoder'
status 2 model-eval unseen.h5 --likelihood vae.h5 --visited-timesteps 3
stderr_has '--visited-timesteps goes with a diffusion model, which vae.h5 is not'
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 model-eval unseen.h5 $words
  stderr_has "$message"
done <<'T'
--denoising ddpm.h5 --timesteps 20|--timesteps 20: expected 0 to 19
--denoising ddpm.h5 --timesteps 3,1,2|--timesteps: expected at least one, each once, in order
--denoising ddpm.h5 --timesteps 3,x|--timesteps '3,x': expected
--denoising ddpm.h5 --visited-timesteps -1|--visited-timesteps
--denoising ddpm.h5 --visited-timesteps 21|--visited-timesteps 21: expected at most 20, the timesteps of the model
--likelihood ddpm.h5 --visited-timesteps 21|--visited-timesteps 21: expected at most 20, the timesteps of the model
--denoising ddpm.h5 --inversion-steps 21|21
--denoising ddpm.h5 --inversion-steps 50|50
--likelihood ddpm.h5 --inversion-steps 2|--inversion-steps does not go with
--likelihood ddpm.h5 --timesteps 3|--timesteps does not go with
--denoising ddpm.h5 --likelihood ddpm.h5|exclude each other
--denoising ddpm.h5 --unseen real.h5 --held-out 0.2|--unseen and --held-out exclude each other
T

# ---- bad input: one line, no files
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  refused "$message" model-eval $words
done <<'T'
unseen.h5 --denoising vae.h5|vae.h5: this model is no diffusion model
noise.h5 --denoising ddpm.h5|noise.h5: expected labels for ddpm.h5, found none
noise.h5 --likelihood ddpm.h5|noise.h5: expected labels for ddpm.h5, found none
ring.h5 --denoising ddpm.h5|ring.h5: expected kind images, found kind vectors
unseen.h5 --denoising points-ddpm.h5|unseen.h5: pictures of 16x16x3, but points-ddpm.h5 takes vectors of 2
points.h5 --modes real.h5|real.h5: expected kind vectors, found kind images
real.h5 --modes ring.h5|real.h5: expected kind vectors, found kind images
points.h5 --baselines|points.h5: expected kind images, found kind vectors
points.h5 --likelihood vae.h5|points.h5: expected kind images, found kind vectors
T
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 model-eval $words
  stderr_has "$message"
done <<'T'
points.h5 --modes ring.h5 --probe ring.h5|exclude each other
points.h5 --modes ring.h5 --plot ring.png|--plot 'ring.png': expected a name ending in .svg
points.h5 --modes ring.h5 --plot -|'-': figures go to standard output
points.h5 --modes ring.h5 --mode-points 0|--mode-points '0': expected at least 1
unseen.h5 --reference real.h5 --mode-points 3|--mode-points does not go with what is asked for
unseen.h5 --reference real.h5 --plot x.svg|--plot does not go with what is asked for
- --modes -|'-' twice: standard input can be read once
T
finish
