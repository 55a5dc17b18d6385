#!/bin/bash
# What vectors of different encoders are worth on Fashion-MNIST: k nearest neighbours, ridge and
# logistic regression fitted to 20,000 training pictures, judged on the 10,000 test pictures. The
# transformer and the CLIP of avatars are those of the items fashion-vit and clip-avatars, if they
# have run; the latter never saw clothes.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
for part in train t10k; do
  [ -e $part.h5 ] || data-pack -q "$fashion/$part-images-idx3-ubyte.gz" --labels "$fashion/$part-labels-idx1-ubyte.gz" -o $part.h5
done
if [ ! -e captioned.h5 ]; then
  python3 - <<'P'
import h5py, numpy as np, shutil
names = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
shutil.copy("train.h5", "captioned.h5")
with h5py.File("captioned.h5", "r+") as file:
    texts = [f"a photo of a {names[label]}".encode() for label in file["labels"][:]]
    file["captions/data"] = np.frombuffer(b"".join(texts), "u1")
    file["captions/offsets"] = np.cumsum([0] + [len(text) for text in texts]).astype("i8")
P
fi
vae-train -q train.h5 --preset mnist-fc --run-dir run-vae --resume --epochs 20 -o vae.h5
clip-train -q captioned.h5 --net conv --channels 32,64,128 --text-embed-dim 64 --text-depth 2 --text-num-heads 4 \
  --projection-dim 64 --vocab-size 320 --context-length 24 --batch-size 128 --epochs 4 --run-dir run-clip --resume -o clip.h5
cp ../fashion-vit/vit.h5 vit.h5 2>/dev/null || echo 'no vision transformer: run fashion-vit first'
cp ../clip-avatars/clip.h5 clip-avatars.h5 2>/dev/null || echo 'no CLIP of avatars: run clip-avatars first'
printf '%-34s %9s %9s %9s %9s\n' features numbers k-NN ridge logistic
# row NAME NUMBERS JSON
row() { python3 - "$@" <<'P'
import json, sys
name, numbers, path = sys.argv[1:]
figures = json.load(open(path))
print(f"{name:34} {numbers:>9}" + "".join(f" {figures[key + '_accuracy']:9.4f}" for key in ("knn", "ridge", "logistic")))
P
}
for features in pixels pca:64; do
  [ -s $features.json ] || { model-eval -q t10k.h5 --probe train.h5 --limit 20000 --features $features --json >part.json && mv part.json $features.json; }
done
row 'raw pixels' 784 pixels.json
row 'principal components' 64 pca:64.json
for name in vae vit clip clip-avatars; do
  [ -e $name.h5 ] || continue
  if [ ! -s $name.json ]; then
    img2vec -q -m $name.h5 train.h5 --limit 20000 -o $name-train.h5
    img2vec -q -m $name.h5 t10k.h5 -o $name-test.h5
    model-eval -q $name-test.h5 --probe $name-train.h5 --json >part.json && mv part.json $name.json
  fi
  width=$(python3 -c 'import h5py, sys; print(h5py.File(sys.argv[1])["vectors"].shape[1])' $name-test.h5)
  case $name in
    vae) title='VAE, means of the latent' ;;
    vit) title='ViT trained on the classes' ;;
    clip) title='CLIP trained on names of classes' ;;
    *) title='CLIP of avatars, no clothes seen' ;;
  esac
  row "$title" "$width" $name.json
done
printf 't-shirt\ntrouser\npullover\ndress\ncoat\nsandal\nshirt\nsneaker\nbag\nankle boot\n' >names.txt
txt2vec -q -m clip.h5 --lines names.txt --template 'a photo of a {}' -o names.h5
model-eval -q t10k.h5 --features clip.h5 --zero-shot names.h5
