#!/bin/bash
# Training speed and peak memory against PyTorch in f32 on the same networks (tests/bench/*.toml), in
# turns of one run each, medians of three. ATELIER_PEERS names the folder of the peers' programs,
# PEER_PYTHON an interpreter with torch. The machine must be idle.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -x "${ATELIER_PEERS:-}/race" ] || { echo "skipped: no race in ATELIER_PEERS"; exit 77; }
"${PEER_PYTHON:-python3}" -c 'import torch' 2>/dev/null || { echo "skipped: no torch for PEER_PYTHON"; exit 77; }
[ -e vae-fc.h5 ] || data-pack -q --synthetic noise --synthetic-count 10000 --image-size 28 --image-channels 1 -o vae-fc.h5
[ -e vae-conv32.h5 ] || data-pack -q --synthetic noise --synthetic-count 10000 --image-size 32 --image-channels 3 -o vae-conv32.h5
needs_idle_machine
echo "PyTorch $("${PEER_PYTHON:-python3}" -c 'import torch; print(torch.__version__)'), load before: $(cut -d' ' -f1 /proc/loadavg)"
for workload in vae-fc vae-conv32; do
  "$ATELIER_PEERS/race" -n 3 --only fp32,fp32-cl,fp32-compile "$workload" -- \
    vae-train -q -c "$source_dir/tests/bench/$workload.toml" "$workload.h5" --metrics - | tee "$workload.json"
done
echo
echo 'workload     ours, pictures/s   PyTorch, pictures/s   ratio   ours, MiB   PyTorch, MiB   its setting'
for workload in vae-fc vae-conv32; do
  python3 - $workload.json <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
print(f"{r['workload']:12} {r['ours']:16.0f}   {r['peer']:19.0f}   {r['ratio']:5.2f}   {r['ours_rss_mib']:9.0f}   {r['peer_rss_mib']:12.0f}   {' '.join(r['peer_options'])}")
P
  at_least "$workload: our speed over PyTorch's" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["ratio"])' $workload.json)" 0.7
done
[ "$misses" = 0 ]
