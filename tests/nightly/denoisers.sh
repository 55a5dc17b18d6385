#!/bin/bash
# Networks that denoise, against the best linear prediction (Wiener): a diffusion transformer by class on
# Fashion-MNIST and a U-Net on MNIST (of ATELIER_DATA), both padded to 32x32.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
needs_data mnist
# padded FROM TO: pictures of idx with two black pixels on each side, which cost the best linear
# prediction nothing, as the bars are stated.
padded() { python3 - "$@" <<'P'
import gzip, struct, sys
raw = gzip.open(sys.argv[1]).read()
count, height, width = struct.unpack(">III", raw[4:16])
empty = bytes(2 * (width + 4))
with open(sys.argv[2], "wb") as out:
    out.write(raw[:4] + struct.pack(">III", count, height + 4, width + 4))
    for at in range(16, len(raw), height * width):
        rows = (raw[at + i * width:at + (i + 1) * width] for i in range(height))
        out.write(empty + b"".join(bytes(2) + row + bytes(2) for row in rows) + empty)
P
}
# packed NAME FOLDER
packed() {
  local part
  for part in train t10k; do
    [ -e "$1-$part.h5" ] && continue
    padded "$2/$part-images-idx3-ubyte.gz" "$1-$part-idx3"
    data-pack -q "$1-$part-idx3" --labels "$2/$part-labels-idx1-ubyte.gz" -o "$1-$part.h5"
  done
}
packed fashion "$fashion"
packed mnist "$data/mnist"
value() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
for name in fashion mnist; do
  [ -s $name.json ] || { model-eval -q --baselines $name-train.h5 --unseen $name-t10k.h5 --json >part && mv part $name.json; }
done
ddpm-train -q fashion-train.h5 --preset dit-32 --class-conditional --steps 500 --val-data fashion-t10k.h5 --val-every 100 \
  --run-dir run-dit --resume --save-every 2m -o dit.h5
ddpm-train -q mnist-train.h5 --preset unet-32 --epochs 3 --val-data mnist-t10k.h5 --run-dir run-unet --resume --save-every 2m -o unet.h5
for step in 100 200 500; do echo "DiT on Fashion-MNIST, step $step: $(metric run-dit/metrics.jsonl $step val_mse)"; done
for epoch in 1 2 3; do echo "U-Net on MNIST, epoch $epoch: $(metric run-unet/metrics.jsonl $((epoch * 938)) val_mse)"; done
echo "Wiener: Fashion-MNIST $(value fashion.json wiener_linear_epsilon), MNIST $(value mnist.json wiener_linear_epsilon)"
at_most 'DiT, 500 steps' "$(metric run-dit/metrics.jsonl 500 val_mse)" 0.0600
at_most 'U-Net, one epoch' "$(metric run-unet/metrics.jsonl 938 val_mse)" "$(value mnist.json wiener_linear_epsilon)"
[ "$misses" = 0 ]
