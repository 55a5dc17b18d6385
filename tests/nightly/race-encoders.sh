#!/bin/bash
# Transformers against PyTorch in f32, as race.sh does it for autoencoders: training CLIP and ViT-Ti,
# features of JPEGs by ViT-B/16, and the cold start of one picture. Weights are those of --steps 0,
# pictures are drawn. ATELIER_PEERS names the folder of the peers' programs, PEER_PYTHON an
# interpreter with torch. The machine must be idle. The table is what it is; only the cold start has
# a bar.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -x "${ATELIER_PEERS:-}/race" ] || { echo "skipped: no race in ATELIER_PEERS"; exit 77; }
python=${PEER_PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || { echo "skipped: no torch for PEER_PYTHON"; exit 77; }
benches=$source_dir/tests/bench
[ -e clip64.h5 ] || data-pack -q --synthetic shapes --synthetic-count 1024 --image-size 64 -o clip64.h5
if [ ! -e vit-ti224.h5 ]; then
  { seq 1 127; echo 999; } >labels.txt
  data-pack -q --synthetic noise --synthetic-count 128 --image-size 224 --labels labels.txt -o vit-ti224.h5
fi
for size in ti16 b16; do
  [ -e vit-$size.h5 ] || clip-train -q vit-ti224.h5 --targets labels --preset vit-$size --steps 0 -o vit-$size.h5
done
# 480x360 JPEGs, as many as make starting up a small share of the time.
if [ ! -e pictures/511.jpg ]; then
  mkdir -p pictures
  "$python" - <<'P'
import sys, os
sys.path.insert(0, os.environ["ATELIER_PEERS"])
from workloads import jpeg_folder
for i, path in enumerate(jpeg_folder()):
    for copy in range(i, 512, 64):
        with open(path, "rb") as source, open(f"pictures/{copy:03}.jpg", "wb") as target:
            target.write(source.read())
P
fi
cat >files.sh <<'S'
# Features of all pictures, and the speed of the whole process, its start included.
start=$(date +%s.%N)
img2vec -q -m vit-b16.h5 pictures --image-size 224 --batch-size 16 -o features.h5
awk -v start="$start" -v end="$(date +%s.%N)" 'BEGIN { printf "{\"images_per_second\": %.4f}\n", 512 / (end - start) }'
S
needs_idle_machine
echo "PyTorch $("$python" -c 'import torch; print(torch.__version__)'), load before: $(cut -d' ' -f1 /proc/loadavg)"
race() { "$ATELIER_PEERS/race" -n 3 --only fp32,fp32-cl,fp32-compile "$@"; }
[ -s clip64.json ] || race clip64 -- clip-train -q -c "$benches/clip64.toml" clip64.h5 --metrics - >clip64.json
[ -s vit-ti224.json ] || race vit-ti224 -- clip-train -q -c "$benches/vit-ti224.toml" vit-ti224.h5 --metrics - >vit-ti224.json
[ -s vit-b16-files.json ] || race vit-b16-files -- bash files.sh >vit-b16-files.json
[ -s coldstart.json ] || "$ATELIER_PEERS/race" -n 3 coldstart -- img2vec -q -m vit-ti16.h5 pictures/000.jpg --image-size 224 --format csv -o - >coldstart.json
echo
echo 'workload              ours            PyTorch   ratio   ours, MiB   PyTorch, MiB   its setting'
for workload in clip64 vit-ti224 vit-b16-files coldstart; do
  python3 - $workload.json <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
unit = "1/s" if r["workload"] == "coldstart" else "pictures/s"
print(f"{r['workload']:14} {r['ours']:7.2f} {unit:10} {r['peer']:7.2f} {unit:10} {r['ratio']:6.2f}   {r['ours_rss_mib']:9.0f}   {r['peer_rss_mib']:12.0f}   {' '.join(r['peer_options'])}")
P
done
at_least 'coldstart: our speed over that of PyTorch' "$(python3 -c 'import json; print(json.load(open("coldstart.json"))["ratio"])')" 10
at_most 'coldstart: our memory over that of PyTorch' "$(python3 -c 'import json; print(json.load(open("coldstart.json"))["rss_ratio"])')" 0.2
[ "$misses" = 0 ]
