#!/bin/bash
# model-eval: what it says of pictures, vectors and models, bars, statuses, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
build=$(cd "${PATH%%:*}/.." && pwd)

data-pack -q --synthetic shapes --synthetic-count 300 --image-size 16 -o real.h5
data-pack -q --synthetic shapes --synthetic-count 200 --synthetic-seed 1 --image-size 16 -o unseen.h5
data-pack -q --synthetic noise --synthetic-count 200 --image-size 16 -o noise.h5
data-pack -q real.h5 --limit 120 -o copy.h5
vae-train -q real.h5 --net conv --channels 8,16 --latent-dim 4 --epochs 2 -o vae.h5

# ---- distances: real against real, noise, copies
quick=(--bootstrap 0 --features pca:8)
status 0 model-eval unseen.h5 --reference real.h5 "${quick[@]}"
stdout_has '^features: pca:8@[0-9a-f]{16}$'
stdout_has '^rows: 200$'
stdout_has '^frechet: [0-9.e-]+ pca:8@[0-9a-f]{16}$'
stdout_has '^copies_exact: 0 pca'
cp stdout unseen.out
status 0 test "$(cut -d: -f1 unseen.out | paste -sd ' ')" = 'features rows reference_rows frechet frechet_limit kernel kernel_standard_error precision recall density coverage nearest nearest_real nearer_prob copying_z copies copies_real copies_exact'
# Of components that few rows decide it is not said whether the pictures are copies.
few=(copy.h5 --reference real.h5 --bootstrap 0 --fail-above copying_z=3 --features)
status 2 model-eval "${few[@]}" pca:10
stderr_has "no figure 'copying_z': there are "
status 0 model-eval "${few[@]:0:5}" --features pca:10
stderr_has '300 reference rows for 10 components fitted to them: too few for nearer_prob and copying_z; give --unseen, 32 rows a component or --features pixels'
status 0 test "$(grep -c '^nearer_prob\|^copying_z' stdout)" = 0
for fair in pca:9 pixels 'pca:10 --unseen unseen.h5'; do
  # shellcheck disable=SC2086  # words are meant
  status 1 model-eval "${few[@]}" $fair
  stderr_has 'model-eval: copying_z 1'
done
status 0 model-eval noise.h5 --reference real.h5 "${quick[@]}"
cp stdout noise.out
is "$(value frechet noise.out) > 3 * $(value frechet unseen.out)"
is "$(value coverage noise.out) < 0.5 * $(value coverage unseen.out)"
status 0 model-eval copy.h5 --reference real.h5 --unseen unseen.h5 "${quick[@]}" --nearest nearest.png
cp stdout copy.out
status 0 grep -q '^copies_exact: 120 ' copy.out
status 0 grep -q '^nearest: 0 ' copy.out
is "$(value copying_z copy.out) > 3"
status 0 test "$(head -c 4 nearest.png | tail -c 3)" = PNG
status 0 model-eval copy.h5 --reference real.h5 "${quick[@]}" --nearest nearest.h5
status 0 model-info nearest.h5
status 0 model-eval unseen.h5 --reference real.h5 "${quick[@]}" --control
stdout_has '^control_frechet: '
stdout_has '^control_coverage: '

# ---- the same for any number of threads and any batch, as lines and as JSON
for how in 'pca:8 --bootstrap 3 --control' 'pixels --bootstrap 0' 'vae.h5 --bootstrap 3 --control'; do
  # shellcheck disable=SC2086  # words are meant
  status 0 model-eval unseen.h5 --reference real.h5 -j 1 --features $how
  cp stdout one.out
  # shellcheck disable=SC2086
  status 0 model-eval unseen.h5 --reference real.h5 -j 3 --batch-size 7 --features $how
  stdout_is "$(cat one.out)\n"
done
status 0 bash -c 'model-eval unseen.h5 --reference real.h5 --bootstrap 0 --json >one.json'
status 0 python3 -c 'import json; d = json.load(open("one.json")); assert d["rows"] == 200 and d["frechet"] > 0 and d["features"].startswith("pca:64@")'
status 0 bash -c 'sample vae.h5 -n 100 --format hdf5 | model-eval - --reference real.h5 --features vae.h5 --bootstrap 0'
stdout_has '^frechet: [0-9.e-]+ vae@[0-9a-f]{16}$'

# ---- statistics stand for the set
status 0 model-eval real.h5 --features pca:8 --save-stats stats.h5
stdout_has '^rows: 300$'
status 0 model-info --check stats.h5
stdout_has '^kind: stats$'
status 0 model-eval unseen.h5 --reference stats.h5 --bootstrap 0
stdout_has "^frechet: $(value frechet unseen.out) pca:8@"
status 0 model-eval unseen.h5 --reference real.h5 "${quick[@]}" --save-stats again.h5
status 0 cmp stats.h5 again.h5
status 0 model-eval real.h5 --features vae.h5 --save-stats encoded.h5
status 0 model-eval unseen.h5 --reference encoded.h5 --features vae.h5 --bootstrap 0
status 1 model-eval unseen.h5 --reference encoded.h5 --bootstrap 0
stderr_has 'model-eval: encoded.h5: features are vae@'
status 0 model-eval real.h5 --features pixels --save-stats pixels.h5
status 0 model-eval unseen.h5 --reference pixels.h5 --bootstrap 0
stderr_has 'warning: 200 rows for 768 features: the covariance is singular'
status 2 model-eval unseen.h5 --reference stats.h5 --features pixels
stderr_has '--features: stats.h5 has its own, pca:8@'
status 2 model-eval unseen.h5 --reference stats.h5 --control
stderr_has '--control goes with a reference of pictures'

status 0 model-eval --synthetic shapes --synthetic-count 30 --image-size 16 --reference stats.h5 --bootstrap 0
stdout_has '^rows: 30$'
status 0 model-eval --synthetic shapes --synthetic-count 30 --image-size 16 --save-stats drawn.h5

# ---- bars
status 0 model-eval unseen.h5 --reference real.h5 "${quick[@]}" --fail-above frechet=1e9,copies_exact=0 --fail-below rows=200
status 1 model-eval unseen.h5 --reference real.h5 "${quick[@]}" --fail-above frechet=0.000001 --fail-above kernel=1e9 --fail-below precision=2
stderr_has 'model-eval: frechet '
stderr_has ' is above 1e-06'
stderr_has 'model-eval: precision '
status 0 test "$(wc -l <stderr)" = 2
status 2 model-eval unseen.h5 --reference real.h5 "${quick[@]}" --fail-above fid=30
stderr_has "no figure 'fid': there are rows, reference_rows, frechet"
status 2 model-eval unseen.h5 --reference real.h5 --fail-above frechet
stderr_has "--fail-above 'frechet': expected KEY=VALUE"
for bar in --fail-above --fail-below; do
  status 2 model-eval unseen.h5 --reference real.h5 $bar ""
  stderr_has "$bar '': expected KEY=VALUE"
done

# ---- probes, models, baselines
status 0 model-eval unseen.h5 --probe real.h5
for key in majority knn ridge ridge_train logistic logistic_train; do stdout_has "^${key}_accuracy: [0-9.]+"; done
status 0 model-eval unseen.h5 --probe real.h5 --features vae.h5 --neighbors 3 --l2 10
stdout_has '^knn_accuracy: [0-9.]+ vae@'
status 0 model-eval unseen.h5 --reconstruct vae.h5
for key in squared_error mse psnr ssim; do stdout_has "^$key: [0-9.]+"; done
cp stdout pairs.out
status 0 model-eval unseen.h5 --reconstruct vae.h5 --batch-size 3
stdout_is "$(cat pairs.out)\n"
status 0 model-eval unseen.h5 --likelihood vae.h5 --draws 5
stdout_has '^loss: [0-9.-]+ nats/image$'
stdout_has '^importance_nll: [0-9.-]+ nats/image$'
status 0 model-eval real.h5 --likelihood vae.h5 --held-out 0.3 --split-by name
status 0 model-eval --baselines real.h5 --unseen unseen.h5
for key in pca_64_psnr bernoulli_nll mixture_nll context_histogram_bits wiener_cosine_v; do stdout_has "^$key: [0-9.]+"; done
# The filter is judged on rows that it has not seen, where it is worse.
cp stdout unseen.out
status 0 model-eval --baselines real.h5
cp stdout itself.out
for key in wiener_linear_epsilon wiener_cosine_v; do
  is "$(value $key unseen.out) > 1.1 * $(value $key itself.out)"
done
status 0 model-eval --baselines real.h5 --held-out 0.3
data-pack -q unseen.h5 --limit 1 -o single.h5
status 0 model-eval --baselines real.h5 --unseen single.h5
check 'one row has no covariance' test "$(grep -c wiener stdout)" = 0
status 2 model-eval unseen.h5 --reference real.h5 --nearest nearest.jpg
stderr_has "--nearest 'nearest.jpg': expected a name ending in .png, .ppm, .h5 or .tar (see"
status 1 model-eval unseen.h5 --classifier vae.h5
stderr_has 'vae.h5: this model classifies nothing'
status 0 clip-train -q real.h5 --targets labels --net conv --channels 4,8 --steps 2 -o cls.h5
status 0 model-eval unseen.h5 --classifier cls.h5 --json
stdout_has '^\{"classifier":"classifier@[0-9a-f]{16}","class_score":[0-9.]+,"class_accuracy":[0-9.]+\}$'
status 0 model-eval unseen.h5 --classifier cls.h5 --reference real.h5 "${quick[@]}"
stdout_has '^classifier: classifier@[0-9a-f]{16}$'
status 0 python3 - <<'P'
import h5py, shutil
shutil.copy("cls.h5", "huge.h5")
with h5py.File("huge.h5", "r+") as f:
    for name, w in f["model"].items():
        if w.ndim > 1:
            w[...] = 1e30
            del w.attrs["xxh3"]
P
refused 'huge.h5: its logits of unseen.h5 are not finite' model-eval unseen.h5 --classifier huge.h5
{ printf 'P6\n16 16\n255\n' && head -c 768 /dev/zero; } >black.ppm
mkdir -p black && for i in 1 2 3 4 5 6; do cp black.ppm black/$i.ppm; done
status 0 model-eval --baselines black --fail-below pca_2_psnr=20
stdout_has '^pca_2_psnr: inf dB$'
status 1 model-eval --baselines black --fail-above pca_2_psnr=20

# ---- a bar on what is never printed is refused before any work, no bar on what is
while IFS='|' read -r job what; do
  # shellcheck disable=SC2086  # words are meant
  status 0 model-eval unseen.h5 $job
  sed -n 's/^\([a-z_0-9]*\): [-0-9.ein]*\( .*\)\{0,1\}$/\1/p' stdout >names
  check "figures of $job" test "$(wc -l <names)" -ge "$what"
  # shellcheck disable=SC2086
  status 1 model-eval none.h5 $job --fail-above "$(sed 's/$/=1e30/' names | paste -sd ,)"
  stderr_has 'none.h5: cannot open'
  # shellcheck disable=SC2086
  status 2 model-eval none.h5 $job --fail-below typo=5
  stderr_has "no figure 'typo': there are $(head -n 1 names)"
done <<'T'
--reference real.h5 --bootstrap 3 --features pca:8 --control --classifier cls.h5|30
--probe real.h5|8
--reconstruct vae.h5|5
--baselines|20
--classifier cls.h5|2
--save-stats bars.h5|1
T
# Nor is one on what these options leave out.
while IFS='|' read -r job key; do
  # shellcheck disable=SC2086  # words are meant
  status 2 model-eval $job --fail-above "$key=1" --features pca:8
  stderr_has "no figure '$key': there are "
done <<'T'
none.h5 --reference none.h5 --bootstrap 0|frechet_high
none.h5 --reference none.h5 --bootstrap 0 --control|control_frechet_low
none.h5 --reference none.h5|class_score
T
for key in kernel nearest class_score_real; do
  status 2 model-eval unseen.h5 --reference stats.h5 --classifier cls.h5 --fail-above $key=1
  stderr_has "no figure '$key': there are rows, reference_rows, frechet, frechet_low"
  stdout_is ''
done
status 2 model-eval none.h5 --classifier cls.h5 --fail-above class_score_real=1
status 2 model-eval unseen.h5 --reference real.h5 --nearest same.h5 --save-stats same.h5
stderr_has '--nearest and --save-stats both want same.h5'

# ---- classes are those of the model by their names, and by their numbers where one side has none
clip-train -q real.h5 --targets labels --net conv --channels 8,8 --epochs 3 -o classes.h5
status 0 model-eval real.h5 --classifier classes.h5
cp stdout whole.out
stdout_has '^class_accuracy: [0-9.]+ classifier@[0-9a-f]{16}$'
mkdir -p some/disc some/triangle
python3 - <<'P' || echo 'skipped: pictures of two classes: python3-h5py is not installed'
import h5py
with h5py.File("real.h5") as file:
    names = [name.decode().rstrip("\0") for name in file["meta/label_names"][:]]
    kept = [0, 0, 0]
    for picture, label in zip(file["images"][:], file["labels"][:]):
        name, kept[label] = names[label], kept[label] + 1
        if name in ("disc", "triangle") and kept[label] <= 40:
            with open(f"some/{name}/{kept[label]}.ppm", "wb") as out:
                out.write(b"P6 16 16 255\n" + picture.tobytes())
P
if [ -e some/disc/1.ppm ]; then
  status 0 model-eval some --classifier classes.h5
  cp stdout some.out
  # Without the squares, whatever number the triangles have here.
  status 0 model-eval some/disc --classifier classes.h5
  is "$(value class_accuracy some.out) >= $(value class_accuracy whole.out) - 0.35"
  status 0 model-eval some --likelihood classes.h5
  is "$(value accuracy stdout) == $(value class_accuracy some.out)"
  mv some/triangle some/zebra
  status 1 model-eval some --classifier classes.h5
  stderr_has 'model-eval: some: has the class zebra, which classes.h5 does not know'
fi
seq 200 | sed 's/.*/9/' >nines.txt
for job in --classifier --likelihood; do
  status 1 model-eval noise.h5 --labels nines.txt $job classes.h5
  stderr_has 'model-eval: noise.h5: has the class 9, which classes.h5 does not know'
done
status 1 model-eval noise.h5 --likelihood classes.h5
stderr_has 'model-eval: noise.h5: expected labels for classes.h5, found none'
status 0 img2vec -q -m classes.h5 noise.h5 --labels nines.txt -o nines.h5

# ---- vectors and stats of a transformer by what they are, whether auto or cls was asked for
status 0 clip-train -q real.h5 --targets labels --net vit --patch-size 8 --embed-dim 16 --depth 1 --num-heads 2 --steps 2 -o vit.h5
for how in '' '--pool mean' '--pool cls --layer 1'; do
  # shellcheck disable=SC2086  # words are meant
  img2vec -q -m vit.h5 unseen.h5 $how -o "rows${how// /}.h5"
done
status 0 model-eval real.h5 --features vit.h5 --save-stats vit-stats.h5
status 0 model-info vit-stats.h5
stdout_has '^config.pool: cls$'
status 0 model-eval unseen.h5 --features vit.h5 --reference vit-stats.h5 --bootstrap 0
cp stdout seen.out
status 0 model-eval rows.h5 --reference vit-stats.h5 --bootstrap 0
stdout_is "$(cat seen.out)\n"
refused 'rows--poolmean.h5: vectors of pool mean, but those of vit-stats.h5 are of cls' \
  model-eval rows--poolmean.h5 --reference vit-stats.h5
refused 'rows--poolcls--layer1.h5: vectors of layer 1, but those of vit-stats.h5 are of -1' \
  model-eval rows--poolcls--layer1.h5 --reference vit-stats.h5

# ---- terms of a model: bars on names that it does not have, and figures that are none
status 2 model-eval unseen.h5 --likelihood vae.h5 --draws 2 --fail-above nonsense=3
stderr_has "no figure 'nonsense': there are rows, importance_nll, "
stdout_is ''
status 1 model-eval unseen.h5 --likelihood vae.h5 --fail-above loss=1
stdout_has '^loss: '
python3 - <<'P'
import h5py, numpy, shutil
shutil.copy("vae.h5", "huge.h5")
with h5py.File("huge.h5", "r+") as f:
    for weight in (f["model"][n] for n in f["model"] if n.endswith("weight")):
        weight[...] = numpy.where(numpy.arange(weight.size).reshape(weight.shape) % 3, 1e38, -1e38)
        del weight.attrs["xxh3"]
P
refused 'huge.h5: makes pictures that are not finite' model-eval unseen.h5 --reconstruct huge.h5 --average none
refused 'huge.h5: its loss of unseen.h5 is not finite' model-eval unseen.h5 --likelihood huge.h5 --average none

python3 - <<'P'
import h5py, numpy, shutil
shutil.copy("vae.h5", "wild.h5")
with h5py.File("wild.h5", "r+") as f:
    for name in f["model"]:
        if name.startswith("decoder") and name.endswith("weight"):
            w = f["model"][name]
            w[...] = numpy.random.default_rng(0).choice([-3e38, 3e38], w.shape)
            del w.attrs["xxh3"]
P
refused 'wild.h5: makes pictures that are not finite' model-eval unseen.h5 --reconstruct wild.h5 --average none

# ---- a model of pictures and texts has no likelihood of pictures
clip-train -q real.h5 --net conv --channels 8,8 --text-embed-dim 8 --text-depth 1 --text-num-heads 2 \
  --projection-dim 8 --vocab-size 300 --steps 2 -o clip.h5
status 1 model-eval unseen.h5 --likelihood clip.h5
stderr_has 'model-eval: clip.h5: this model compares pictures with texts, it has no likelihood of pictures'

# ---- vectors, of which the test of the library writes some
if [ -x "$build/eval_test" ]; then
  status 0 env ATELIER_WRITE_VECTORS="$PWD" "$build/eval_test" -tc='vectors are probed*'
  status 0 python3 - <<'P'
import h5py, shutil
shutil.copy("train.h5", "large.h5")
with h5py.File("large.h5", "r+") as f:
    f["vectors"][0, 0] = 1e38
    del f["vectors"].attrs["xxh3"]
P
  status 0 model-eval test.h5 --probe train.h5
  stdout_has '^knn_accuracy: (1|0\.9[0-9]+) toy@0000000000000001$'
  cp stdout probe.out
  status 0 bash -c 'cat test.h5 | model-eval - --probe train.h5 -j 3'
  stdout_is "$(cat probe.out)\n"
  status 0 model-eval test.h5 --reference train.h5 --bootstrap 0
  stdout_has '^frechet: [0-9.e-]+ toy@0000000000000001$'
  status 0 bash -c 'cat test.h5 test.h5 | model-eval - --reference train.h5 --bootstrap 0'
  stdout_has '^rows: 600$'
  status 0 model-eval test.h5 --retrieval test.h5
  stdout_is 'features: toy@0000000000000001\npairs: 300\nforward_at_1: 1 toy@0000000000000001\nforward_at_5: 1 toy@0000000000000001\nforward_at_10: 1 toy@0000000000000001\nbackward_at_1: 1 toy@0000000000000001\nbackward_at_5: 1 toy@0000000000000001\nbackward_at_10: 1 toy@0000000000000001\n'
  status 0 model-eval train.h5 --save-stats vectors-stats.h5
  status 0 model-eval test.h5 --reference vectors-stats.h5 --bootstrap 0
  status 1 model-eval other.h5 --reference vectors-stats.h5
  stderr_has "features are toy@0000000000000001, but those of other.h5 are other@0000000000000002"
  python3 - <<'P'
import h5py, shutil
for pool, crop in ("cls", "center"), ("mean", "center"), ("cls", "none"):
    name = (pool if crop == "center" else crop) + "-rows.h5"
    shutil.copy("test.h5", name)
    with h5py.File(name, "r+") as f:
        f.require_group("config").attrs["pool"] = pool
        f.require_group("preprocess").attrs["crop"] = crop
P
  status 0 model-eval cls-rows.h5 --save-stats cls-stats.h5
  status 0 model-info --check cls-stats.h5
  status 0 model-eval cls-rows.h5 --reference cls-stats.h5 --bootstrap 0
  python3 - <<'P'
import h5py, shutil
shutil.copy("cls-stats.h5", "bare-stats.h5")
with h5py.File("bare-stats.h5", "r+") as f:
    del f["config"]
P
  for format in npy csv jsonl fvecs; do img2vec --merge cls-rows.h5 -o cls-rows.$format; done
  while IFS='|' read -r words message; do
    # shellcheck disable=SC2086  # words are meant
    refused "$message" model-eval $words
  done <<'T'
mean-rows.h5 --reference cls-stats.h5|mean-rows.h5: vectors of pool mean, but those of cls-stats.h5 are of cls
none-rows.h5 --reference cls-stats.h5|none-rows.h5: vectors of crop none, but those of cls-stats.h5 are of center
none-rows.h5 --retrieval cls-rows.h5|none-rows.h5: vectors of crop none, but those of cls-rows.h5 are of center
none-rows.h5 --probe cls-rows.h5|none-rows.h5: vectors of crop none, but those of cls-rows.h5 are of center
cls-rows.h5 --reference bare-stats.h5|bare-stats.h5: expected /config with pool cls, normalized false, as cls-rows.h5 has it, found none
cls-rows.npy --reference cls-rows.h5|cls-rows.npy: expected a folder, a tar, idx or HDF5 file or pictures, found none of them; vectors are read from HDF5, as img2vec -o FILE.h5 writes them
cls-rows.h5 --probe cls-rows.csv|found none of them; vectors are read from HDF5, as
cls-rows.jsonl --retrieval cls-rows.h5|found none of them; vectors are read from HDF5, as
cls-rows.fvecs --zero-shot cls-rows.h5|found none of them; vectors are read from HDF5, as
mean-rows.h5 --reference cls-rows.h5|mean-rows.h5: vectors of pool mean, but those of cls-rows.h5 are of cls
other.h5 --probe train.h5|other.h5: vectors [16] of 'other@0000000000000002', but train.h5 has [16] of 'toy@0000000000000001'
other.h5 --reference train.h5|other.h5: vectors [16] of 'other@
test.h5 --probe one.h5|one.h5: a probe needs at least 2 rows, found 1
test.h5 --probe large.h5|large.h5: row 0 holds 1e+38: numbers beyond 1e+15 cannot be compared
test.h5 --retrieval large.h5|large.h5: row 0 holds 1e+38: numbers beyond
test.h5 --retrieval train.h5|test.h5: 300 rows have no partners in the 600 of train.h5
test.h5 --reference one.h5|one.h5: a reference needs at least 2 rows, found 1
one.h5 --reference test.h5 --bootstrap 0|one.h5: distances need at least 2 rows, found 1
real.h5 --reference train.h5|real.h5: holds pictures, but train.h5 holds vectors
test.h5 --reference real.h5|test.h5: holds vectors, but real.h5 holds pictures
test.h5 --probe real.h5|test.h5: holds vectors, but real.h5 holds pictures
test.h5 --reference train.h5 --unseen real.h5|real.h5: expected kind vectors, found kind images
test.h5 --reference vae.h5|test.h5: holds vectors, but vae.h5 holds a checkpoint
train.h5 --modes test.h5|test.h5: /config describes no toy; data-pack --synthetic ring and its like make some
T
  status 2 model-eval test.h5 --reference train.h5 --features pixels
  stderr_has '--features goes with pictures, train.h5 holds vectors'
  status 2 model-eval test.h5 train.h5 --retrieval train.h5
  stderr_has 'vectors: expected one file or stream'
else
  echo 'skipped: vectors: eval_test is not built'
fi

# ---- bad input: one line, no files
data-pack -q real.h5 --limit 1 -o single.h5
data-pack -q real.h5 --limit 3 -o three.h5
data-pack -q --synthetic noise --synthetic-count 30 --image-size 8 -o small.h5
# As many numbers as the pictures of real.h5 have, in another shape.
data-pack -q --synthetic noise --synthetic-count 30 --image-height 16 --image-width 48 --image-channels 1 -o long.h5
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  refused "$message" model-eval $words
done <<'T'
unseen.h5 --reference single.h5|single.h5: expected at least 2 pictures, found 1
unseen.h5 --reference single.h5 --features pixels|single.h5: a reference needs at least 2 rows, found 1
small.h5 --reference real.h5|small.h5: pictures of 8x8x3, but the reference has 16x16x3
long.h5 --reference real.h5|long.h5: pictures of 16x48x1, but the reference has 16x16x3
long.h5 --reference real.h5 --nearest x.h5|long.h5: pictures of 16x48x1, but the reference has 16x16x3
long.h5 --reference stats.h5|long.h5: pictures of 16x48x1, but the reference has 16x16x3
small.h5 --reference stats.h5|small.h5: pictures of 8x8x3, but the reference has 16x16x3
small.h5 --reference real.h5 --features pixels|small.h5: pictures of 8x8x3, but the reference has 16x16x3
small.h5 --reconstruct vae.h5 --image-size 8|small.h5: pictures of 8x8x3, but vae.h5 takes 16x16x3
unseen.h5 --reference missing.h5|missing.h5: cannot open: No such file or directory
unseen.h5 --reference real.h5 --features missing.h5|missing.h5: cannot open
unseen.h5 --reference real.h5 --features real.h5|real.h5: expected kind checkpoint, found kind images
unseen.h5 --reference vae.h5|vae.h5: expected kind images, found kind checkpoint
noise.h5 --probe noise.h5|a probe needs labels, there are none
T
status 0 model-eval three.h5 --reference real.h5 --bootstrap 0
stderr_has 'warning: 3 rows for 64 features: the covariance is singular'
stderr_has 'warning: 3 rows: too few for precision, recall, density and coverage'
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 model-eval $words
  stderr_has "$message"
done <<'T'
unseen.h5|nothing to do: give --reference
--reference real.h5|DATA is missing
unseen.h5 --reference real.h5 --probe real.h5|exclude each other
unseen.h5 --reconstruct vae.h5 --likelihood vae.h5|exclude each other
unseen.h5 --probe real.h5 --control|--control does not go with what is asked for
unseen.h5 --reference real.h5 --draws 3|--draws does not go with what is asked for
unseen.h5 --reference real.h5 --held-out 0.1|--held-out does not go with what is asked for
unseen.h5 --reference real.h5 --features pca:0|--features 'pca:0': expected pixels, pca:K or a checkpoint
unseen.h5 --reference real.h5 --features pca:x|--features 'pca:x': expected pixels, pca:K or a checkpoint
unseen.h5 --probe real.h5 --neighbors 0|--neighbors '0': expected at least 1
- --reference -|'-' twice: standard input can be read once
unseen.h5 --reference real.h5 --nearest -|'-': figures go to standard output
unseen.h5 --reference real.h5 --nearest real.h5|would replace what is read
unseen.h5 --save-stats unseen.h5|would replace what is read
T

# ---- skipped pictures, full disks, readers that went away
mkdir photos
for i in 1 2 3 4 5 6 7 8; do { printf 'P6\n16 16\n255\n' && head -c 768 /dev/urandom; } >photos/$i.ppm; done
printf 'P6\n16 16\n255\n' >photos/9.ppm
status 3 model-eval photos --on-error skip --reference real.h5 --bootstrap 0
stdout_has '^rows: 8$'
status 1 model-eval photos --reference real.h5
stderr_has '9.ppm'
status 1 bash -c 'model-eval unseen.h5 --reference real.h5 --bootstrap 0 >/dev/full'
status 141 unread model-eval unseen.h5 --reference real.h5 --bootstrap 0
finish
