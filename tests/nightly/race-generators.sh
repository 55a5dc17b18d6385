#!/bin/bash
# Generators against PyTorch in f32, as race.sh does it for autoencoders: training DCGAN, WGAN-GP, DDPM's
# U-Net and DiT, and drawing by 50 steps of DDIM. Weights are those of --steps 0, pictures are drawn.
# ATELIER_PEERS names the folder of the peers' programs, PEER_PYTHON an interpreter with torch. The
# machine must be idle. The table is what it is.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -x "${ATELIER_PEERS:-}/race" ] || { echo "skipped: no race in ATELIER_PEERS"; exit 77; }
python=${PEER_PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || { echo "skipped: no torch for PEER_PYTHON"; exit 77; }
benches=$source_dir/tests/bench
seq 640 | awk '{ print $1 % 10 }' >labels.txt
[ -e 64.h5 ] || data-pack -q --synthetic shapes --synthetic-count 640 --image-size 64 -o 64.h5
[ -e 32.h5 ] || data-pack -q --synthetic shapes --synthetic-count 640 --image-size 32 --labels labels.txt -o 32.h5
[ -e ddpm32.h5 ] || ddpm-train -q -c "$benches/ddpm32.toml" 32.h5 --steps 0 -o ddpm32.h5
cat >draw.sh <<'S'
# Pictures of the whole process, its start included.
start=$(date +%s.%N)
sample -q ddpm32.h5 -n 16 --batch-size 16 --sampler ddim --sample-steps 50 -o drawn.png
awk -v start="$start" -v end="$(date +%s.%N)" 'BEGIN { printf "{\"images_per_second\": %.5f}\n", 16 / (end - start) }'
S
needs_idle_machine
echo "PyTorch $("$python" -c 'import torch; print(torch.__version__)'), load before: $(cut -d' ' -f1 /proc/loadavg)"
race() { "$ATELIER_PEERS/race" -n 3 --only fp32,fp32-cl,fp32-compile "$@"; }
[ -s dcgan64.json ] || race dcgan64 -- gan-train -q -c "$benches/dcgan64.toml" 64.h5 --metrics - >dcgan64.json
[ -s wgangp32.json ] || race wgangp32 -- gan-train -q -c "$benches/wgangp32.toml" 32.h5 --metrics - >wgangp32.json
[ -s ddpm32.json ] || race ddpm32 -- ddpm-train -q -c "$benches/ddpm32.toml" 32.h5 --metrics - >ddpm32.json
[ -s dit32.json ] || race dit32 -- ddpm-train -q -c "$benches/dit32.toml" 32.h5 --metrics - >dit32.json
[ -s ddim32-sample.json ] || race ddim32-sample -- bash draw.sh >ddim32-sample.json
echo
echo 'workload        ours, pictures/s   PyTorch, pictures/s   ratio   ours, MiB   PyTorch, MiB   its setting'
for workload in dcgan64 wgangp32 ddpm32 dit32 ddim32-sample; do
  python3 - $workload.json <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
print(f"{r['workload']:15} {r['ours']:16.2f}   {r['peer']:19.2f}   {r['ratio']:5.2f}   {r['ours_rss_mib']:9.0f}   {r['peer_rss_mib']:12.0f}   {' '.join(r['peer_options'])}")
P
done
