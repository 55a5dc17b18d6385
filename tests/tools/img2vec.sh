#!/bin/bash
# img2vec: the same bytes for any batch, thread count and division; every format read back; lists,
# pipes, what is skipped; bad input and bad places.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
python() { /usr/bin/python3 "$@"; }
data-pack -q --synthetic shapes --synthetic-count 130 --image-size 16 -o shapes.h5
vae-train -q shapes.h5 --net conv --channels 8,16 --latent-dim 8 --steps 5 --ema-decay 0.5 -o vae.h5

# ---- one result
status 0 img2vec -m vae.h5 shapes.h5 -o whole.h5
stderr_has 'img2vec: 130 vectors of 8, 0 skipped'
stdout_is ''
for batch in 1 3 61; do
  for threads in 1 2; do
    status 0 img2vec -q -m vae.h5 shapes.h5 --batch-size $batch -j $threads -o again.h5
    status 0 test ! -s stderr
    status 0 cmp whole.h5 again.h5
  done
done
img2vec -q -m vae.h5 shapes.h5 >again.h5
status 0 cmp whole.h5 again.h5
status 0 model-info --check --tensors whole.h5
stdout_has '^kind: vectors$'
stdout_has '^config.pool: auto$'
stdout_has '^preprocess.image_height: 16$'
stdout_has '/vectors.*f32.*\[130,8\]'
stdout_has '/labels.*i32.*\[130\]'
status 0 img2vec -q -m vae.h5 shapes.h5 --average none -o plain.h5
status 1 cmp -s plain.h5 whole.h5

# ---- in blocks, and put together
formats=(h5 csv jsonl fvecs npy)
for format in "${formats[@]}"; do
  status 0 img2vec -q -m vae.h5 shapes.h5 -o "whole.$format"
  for shards in 2 3 7; do
    for k in $(seq $shards); do
      status 0 img2vec -q -m vae.h5 shapes.h5 --shard "$k/$shards" --batch-size 5 -o "part-$shards-$k.$format"
    done
  done
  # A conversion of the whole is the whole.
  status 0 img2vec --merge whole.h5 -o "merged.$format"
  status 0 cmp "whole.$format" "merged.$format"
done
for shards in 2 3 7; do
  parts=() ; for k in $(seq $shards); do parts+=("part-$shards-$k"); done
  for format in csv jsonl fvecs; do
    cat "${parts[@]/%/.$format}" >"joined.$format"
    status 0 cmp "whole.$format" "joined.$format"
  done
  for format in "${formats[@]}"; do
    status 0 img2vec --merge "${parts[@]/%/.h5}" -o "merged.$format"
    status 0 cmp "whole.$format" "merged.$format"
  done
  status 0 img2vec --merge - -o merged.h5 < <(cat "${parts[@]/%/.h5}")
  status 0 cmp whole.h5 merged.h5
done
# More jobs than pictures: some write no rows, and fit all the same.
data-pack -q shapes.h5 --limit 2 -o two.h5
img2vec -q -m vae.h5 two.h5 -o two.vec.h5
for k in 1 2 3 4; do img2vec -q -m vae.h5 two.h5 --shard $k/4 -o few-$k.h5; done
status 0 img2vec --merge few-1.h5 few-2.h5 few-3.h5 few-4.h5 -o merged.h5
status 0 cmp merged.h5 two.vec.h5
stdout_is ''
# Blocks that are no whole run, in order, are not put together.
img2vec -q -m vae.h5 two.h5 --shard 1/3 -o other-1.h5
while IFS='|' read -r files message; do
  # shellcheck disable=SC2086  # words are meant
  refused "$message" img2vec --merge $files -o x.h5
done <<'T'
few-4.h5 few-1.h5|few-1.h5: is block 1/4, but nothing is to follow
few-1.h5 few-3.h5|few-3.h5: is block 3/4, but 2/4 is to follow
few-1.h5 few-1.h5|few-1.h5: is block 1/4, but 2/4 is to follow
few-1.h5 other-1.h5|other-1.h5: is block 1/3, but 2/4 is to follow
few-1.h5 two.vec.h5|two.vec.h5: is no block, but 2/4 is to follow
few-1.h5 few-2.h5|few-1.h5: blocks 1-2/4 of a divided run: expected all 4
few-2.h5|few-2.h5: blocks 2/4 of a divided run: expected all 4
T
status 0 img2vec --merge two.vec.h5 few-1.h5 few-2.h5 few-3.h5 few-4.h5 -o twice.h5

# ---- f16, normalized, other names, read back
for format in h5 npy csv; do
  status 0 img2vec -q -m vae.h5 shapes.h5 --normalize --dtype f16 -o "half.$format"
done
status 0 img2vec -q -m vae.h5 shapes.h5 --normalize -o unit.h5
status 0 img2vec --merge half.h5 -o merged.npy
status 0 cmp merged.npy half.npy
status 0 img2vec -q -m vae.h5 shapes.h5 --layout ann-benchmarks --metric ip -o ann.h5
status 0 model-info --check ann.h5
status 0 test "$(head -1 whole.csv)" = id,label,v0,v1,v2,v3,v4,v5,v6,v7
status 0 test "$(wc -l <whole.jsonl)" = 130
status 0 test "$(stat -c %s whole.fvecs)" = $((130 * 36))
if command -v jq >/dev/null; then
  status 0 jq -es 'length == 130 and all(.vector | length == 8) and .[0].id == "shapes/000000"' whole.jsonl
fi
if python -c 'import h5py, numpy' 2>/dev/null; then
  status 0 python - <<'P'
import csv, json
import h5py, numpy as np
file = h5py.File("whole.h5")
rows = file["vectors"][:]
assert rows.dtype == "f4" and rows.shape == (130, 8)
ids, labels = [i.decode() for i in file["meta/ids"]], file["labels"][:]
names = [n.decode() for n in file["meta/label_names"]]
assert (labels == h5py.File("shapes.h5")["labels"][:]).all()
assert (file["meta/ids"][:] == h5py.File("shapes.h5")["meta/ids"][:]).all()
assert (np.load("whole.npy") == rows).all()
raw = np.fromfile("whole.fvecs", "i4").reshape(130, 9)
assert (raw[:, 0] == 8).all() and (raw[:, 1:].view("f4") == rows).all()
table = list(csv.DictReader(open("whole.csv")))
assert [r["id"] for r in table] == ids and [r["label"] for r in table] == [names[n] for n in labels]
assert (np.array([[r[f"v{i}"] for i in range(8)] for r in table], "f4") == rows).all()
lines = [json.loads(l) for l in open("whole.jsonl")]
assert [l["id"] for l in lines] == ids and [l["label"] for l in lines] == [r["label"] for r in table]
assert (np.array([l["vector"] for l in lines], "f4") == rows).all()
unit = h5py.File("unit.h5")["vectors"]
assert unit.attrs["normalized"] == 1 and unit.attrs["metric"] == b"cosine"
lengths = np.linalg.norm(rows.astype("f8"), axis=1, keepdims=True)
assert np.allclose(unit[:], rows / lengths, atol=1e-7)
half = h5py.File("half.h5")["vectors"][:]
assert half.dtype == "f2" and (half == unit[:].astype("f2")).all() and (np.load("half.npy") == half).all()
table = list(csv.DictReader(open("half.csv")))
assert (np.array([[r[f"v{i}"] for i in range(8)] for r in table], "f2") == half).all()
ann = h5py.File("ann.h5")
assert (ann["train"][:] == rows).all() and ann.attrs["distance"] == b"dot" and ann.attrs["dimension"] == 8
P
else
  echo 'skipped: formats read back by h5py and numpy: they are not installed'
fi

# ---- pictures from anywhere, named as they were named
ppm() { printf 'P6\n16 16\n255\n'; for _ in $(seq 64); do printf %s "$1"; done; }
mkdir -p 'set/a b' set/c
ppm abcdefghijkl >'set/a b/1.ppm'
ppm ABCDEFGHIJKL >'set/a b/2,2.ppm'
ppm 0123456789ab >set/c/3.ppm
img2vec -q -m vae.h5 set --format csv >folder.csv
status 0 test "$(cut -d, -f1-2 folder.csv | tail -1)" = c/3.ppm,c
status 0 grep -q '^"a b/2,2.ppm",a b,' folder.csv
status 0 bash -c "find set -type f -print0 | sort -z | img2vec -q -m vae.h5 -0 --files-from - --format csv >list.csv"
status 0 grep -q '^set/c/3.ppm,' list.csv
status 0 cmp <(sed 's/.*ppm"*,[^-0-9]*,*//' folder.csv | tail -n +2) <(sed 's/.*ppm"*,//' list.csv | tail -n +2)
find set -type f | sort >names
status 0 img2vec -q -m vae.h5 --files-from names --format csv -o list2.csv
status 0 cmp list.csv list2.csv
status 0 img2vec -q -m vae.h5 'set/a b/1.ppm' 'set/a b/2,2.ppm' set/c/3.ppm -o list3.csv
status 0 cmp list.csv list3.csv
status 0 img2vec -q -m vae.h5 set/c --files-from names -o more.csv
status 0 test "$(wc -l <more.csv)" = 5
status 0 img2vec -q -m vae.h5 - -o frames.csv < <(cat 'set/a b/1.ppm' 'set/a b/2,2.ppm' set/c/3.ppm)
status 0 cmp <(cut -d, -f2- frames.csv | tail -n +2) <(sed 's/.*ppm"*,//' list.csv | tail -n +2)
status 0 grep -q '^index 2,' frames.csv
status 0 img2vec -q -m vae.h5 - -o piped.h5 < <(cat shapes.h5)
status 0 cmp piped.h5 whole.h5
status 0 img2vec -q -m - shapes.h5 -o piped.h5 < <(cat vae.h5)
status 0 cmp piped.h5 whole.h5
tar -C set --sort=name -cf set.tar .
status 0 img2vec -q -m vae.h5 set.tar -o tar.csv
status 0 cmp tar.csv folder.csv
tar -C set/c -cf c.tar .
for k in 1 2; do img2vec -q -m vae.h5 --files-from names c.tar set/c --shard $k/2 -o half-$k.csv; done
img2vec -q -m vae.h5 --files-from names c.tar set/c -o both.csv
status 0 cmp both.csv <(cat half-1.csv half-2.csv)
# Pictures of other sizes become the model's.
data-pack -q --synthetic shapes --synthetic-count 3 --image-size 20 -o twenty.h5
status 0 img2vec -q -m vae.h5 twenty.h5 -o twenty.csv
status 1 img2vec -m vae.h5 twenty.h5 --image-size 20 -o x.csv
stderr_has 'img2vec: twenty.h5: pictures of 20x20x3, but vae.h5 takes 16x16x3'

# ---- what cannot be read is named and counted, in one run as in several
echo 'no picture at all, but long enough' >set/c/bad.png
head -c 40 set/c/3.ppm >set/c/cut.ppm
{ cat names; echo set/c/bad.png; echo set/none.png; echo set/c/cut.ppm; echo set/c/3.ppm; } >names2
status 3 img2vec -m vae.h5 --files-from names2 --on-error skip -o some.csv
stderr_has 'warning: set/c/bad.png: '
stderr_has 'warning: set/none.png: cannot open: No such file or directory (skipped)'
stderr_has 'warning: set/c/cut.ppm: index 0 is truncated (skipped)'
stderr_has 'img2vec: 4 vectors of 8, 3 skipped'
status 0 test "$(wc -l <some.csv)" = 5
status 3 img2vec -q -m vae.h5 set --on-error skip -o some2.csv
status 0 test "$(wc -l <some2.csv)" = 4
: >shards.csv
for k in 1 2 3; do
  img2vec -m vae.h5 --files-from names2 --on-error skip --shard $k/3 --format csv >>shards.csv 2>>shards.err
done
status 0 cmp some.csv shards.csv
status 0 test "$(grep -c '(skipped)$' shards.err)" = 3
# What should hold pictures and does not is none of them.
mkdir hollow
head -c 3000 shapes.h5 >cut.h5
for bad in hollow cut.h5 vae.h5; do
  refused "$bad: " img2vec -m vae.h5 set/c/3.ppm $bad --on-error skip -o x.h5
done
refused 'set/c/bad.png: ' img2vec -m vae.h5 --files-from names2 -o x.h5
refused 'set/c/bad.png: ' img2vec -m vae.h5 set -o x.h5
echo set/none.png >names3
refused 'set/none.png: cannot open' img2vec -m vae.h5 --files-from names3 --on-error skip -o x.h5
: >empty.txt
refused 'empty.txt: names no pictures' img2vec -m vae.h5 --files-from empty.txt -o x.h5
refused 'nothing.txt: cannot open: No such file or directory' img2vec -m vae.h5 --files-from nothing.txt -o x.h5
find set -type f -print0 >zeros
refused 'zeros: holds zero bytes; --null' img2vec -m vae.h5 --files-from zeros -o x.h5

# ---- what a model, a file or a set of vectors cannot do
refused 'vae.h5: this model has no attention' img2vec -m vae.h5 shapes.h5 --attention x.h5
refused 'vae.h5: this model has no attention' img2vec -m vae.h5 shapes.h5 --attention-maps x.h5
status 2 img2vec -m vae.h5 shapes.h5 --pool cls -o x.csv
stderr_has "vae.h5: pool 'cls': this model has no tokens, only auto"
status 2 img2vec -m vae.h5 shapes.h5 --layer 3 -o x.csv
refused 'missing.h5: cannot open' img2vec -m missing.h5 shapes.h5 -o x.h5
refused 'shapes.h5: expected kind checkpoint, found kind images' img2vec -m shapes.h5 shapes.h5 -o x.h5
refused 'whole.h5: ' img2vec -m vae.h5 whole.h5 -o x.h5
refused 'shapes.h5: expected kind vectors, found kind images' img2vec --merge shapes.h5 -o x.h5
refused "half.h5: the element type is 'f16', but 'f32' in what comes before it" img2vec --merge unit.h5 half.h5 -o x.h5
refused 'unit.h5: ' img2vec --merge whole.h5 unit.h5 -o x.h5
refused 'plain.h5: config.average is ' img2vec --merge whole.h5 plain.h5 -o x.h5
vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 1 -o other.h5
img2vec -q -m other.h5 shapes.h5 -o other.vec.h5
refused "other.vec.h5: the number of columns is '2', but '8'" img2vec --merge whole.h5 other.vec.h5 -o x.h5
head -c 3000 whole.h5 >cut.h5
refused 'cut.h5: truncated: 3000 bytes of ' img2vec --merge cut.h5 -o x.h5
cp whole.h5 flipped.h5
printf '\377' | dd of=flipped.h5 bs=1 seek=$(($(stat -c %s whole.h5) / 2)) conv=notrunc 2>dd.err
cmp -s whole.h5 flipped.h5 || status 1 img2vec --merge flipped.h5 -o x.csv

# ---- words that make no sense
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 img2vec $words
  stderr_has "$message"
done <<'T'
shapes.h5 -o x.csv|--model: expected a checkpoint
-m vae.h5 -o x.csv|no pictures: expected a folder
-m vae.h5 shapes.h5 -o x.bin|-o 'x.bin': expected a name ending in .h5, .npy, .fvecs, .csv or .jsonl
-m vae.h5 shapes.h5 --format xml|--format 'xml': expected hdf5, npy, fvecs, csv, jsonl
-m vae.h5 shapes.h5 --dtype f16 -o x.fvecs|--dtype f16: fvecs holds f32 alone
-m vae.h5 shapes.h5 --layout ann-benchmarks -o x.csv|--layout ann-benchmarks: goes with hdf5, not with csv
-m vae.h5 shapes.h5 --batch-size 0 -o x.csv|--batch-size '0': expected at least 1
-m vae.h5 shapes.h5 --shard 4/3 -o x.csv|--shard '4/3': expected K/N with K from 1 to N
-m vae.h5 shapes.h5 --shard 0/3 -o x.csv|--shard '0/3': expected K/N
-m vae.h5 shapes.h5 --shard 1/2 --limit 3 -o x.csv|--shard and --limit exclude each other
-m vae.h5 shapes.h5 -0 -o x.csv|--null goes with --files-from
-m - - -o x.csv|'-' twice: standard input can be read once only
-m vae.h5 - --files-from - -o x.csv|'-' twice
--merge -o x.csv|--merge: expected files of vectors
--merge whole.h5 -m vae.h5 -o x.csv|--model goes without --merge
--merge whole.h5 --batch-size 3 -o x.csv|--batch-size goes without --merge
--merge whole.h5 --limit 3 -o x.csv|--limit goes without --merge
-m vae.h5 shapes.h5 --attention a.tsv --dtype f16|--dtype is about vectors, which --attention writes with -o only
-m vae.h5 shapes.h5 --attention a.tsv --attention-maps a.tsv|--attention and --attention-maps both want a.tsv
-m vae.h5 shapes.h5 --attention a.csv -o a.csv|--output and --attention both want a.csv
--merge whole.h5 --normalize -o x.csv|--normalize goes without --merge
-m vae.h5 shapes.h5 --attention a.tsv --shard 1/2|--attention and --shard exclude each other
-m vae.h5 shapes.h5 --attention - -o -|both want standard output
-m vae.h5 shapes.h5 -o shapes.h5|would replace what is read
-m vae.h5 shapes.h5 --format hdf5 -o vae.h5|would replace what is read
-m vae.h5 shapes.h5 --attention shapes.h5|would replace what is read
--merge whole.h5 -o whole.h5|would replace what is read
T
status 2 img2vec -m vae.h5 - --shard 1/2 -o x.csv <shapes.h5
stderr_has '--shard: standard input can be read once only'
status 0 test ! -e x.csv

# ---- a transformer: tokens, layers, attention; and one that has none
tower=(clip-train -q shapes.h5 --targets labels --steps 3)
"${tower[@]}" --net vit --patch-size 4 --embed-dim 32 --depth 3 --num-heads 2 -o vit.h5
for options in '' '--pool cls' '--pool mean' '--pool cls --layer 1' '--pool mean --layer 0'; do
  # shellcheck disable=SC2086  # words are meant
  status 0 img2vec -q -m vit.h5 shapes.h5 $options -o tokens.csv
  # shellcheck disable=SC2086
  status 0 img2vec -q -m vit.h5 shapes.h5 $options -b 7 -j 2 -o tokens2.csv
  status 0 cmp tokens.csv tokens2.csv
  cat tokens.csv >>all-tokens.csv
done
# Four ways to say a thing; auto is what the model was trained to give, its class token.
status 0 test "$(grep '^shapes/000000,' all-tokens.csv | sort -u | wc -l)" = 4
# Vectors say how they were pooled by one name; a layer goes with a pool that is named.
status 0 img2vec -q -m vit.h5 shapes.h5 -o auto.h5
status 0 img2vec -q -m vit.h5 shapes.h5 --pool cls -o cls.h5
status 0 cmp auto.h5 cls.h5
status 2 img2vec -m vit.h5 shapes.h5 --layer 1 -o x.csv
stderr_has 'vit.h5: layer 1: goes with pool cls or mean, not with auto'
status 2 img2vec -m vit.h5 shapes.h5 --pool cls --layer 4 -o x.csv
stderr_has 'vit.h5: layer 4: expected 0 to 3'
status 0 img2vec -m vit.h5 shapes.h5 --attention far.tsv --attention-maps far.png
stdout_is ''
stderr_has 'attention: '
stderr_has ' pixels in layer 1, '
status 0 test "$(head -1 far.tsv)" = $'layer\tdistance\thead1\thead2'
status 0 test "$(wc -l <far.tsv)" = 4
# Between patches of 4 pixels in a picture of 16: the farthest are 12 * sqrt(2) apart.
awk 'NR > 1 && !($2 > 0 && $2 < 17 && ($2 - ($3 + $4) / 2) ^ 2 < 1e-6) { exit 1 }' far.tsv ||
  fault 'distances that cannot be'
status 0 img2vec -q -m vit.h5 shapes.h5 --attention far.svg
check 'a plot is XML, with a dot a head and the mean of each layer where the table has it' python3 - <<'P'
import re, xml.etree.ElementTree as tree
rows = [line.split("\t") for line in open("far.tsv").read().splitlines()]
svg = tree.parse("far.svg").getroot()
name = "{http://www.w3.org/2000/svg}"
dots = [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter(name + "circle")]
values = [float(v) for row in rows[1:] for v in row[2:]]
assert len(dots) == len(values)
ticks = [(float(t.text), float(t.get("y")) - 4) for t in svg.iter(name + "text") if t.get("text-anchor") == "end"]
scale = (ticks[-1][1] - ticks[0][1]) / (ticks[-1][0] - ticks[0][0])
assert all(abs(ticks[0][1] + v * scale - y) < 0.2 for (_, y), v in zip(dots, values))
line = [p for p in svg.iter(name + "path") if p.get("stroke") == "#c33"][0].get("d")
means = [float(y) for y in re.findall(r"[ML][0-9.]+ ([0-9.]+)", line)]
assert all(abs(ticks[0][1] + float(row[1]) * scale - y) < 0.2 for row, y in zip(rows[1:], means))
P
status 0 img2vec -q -m vit.h5 shapes.h5 -b 3 -j 1 --attention - --attention-maps far2.png -o tokens2.csv
cp stdout far2.tsv
status 0 cmp far.tsv far2.tsv
status 0 cmp far.png far2.png
status 0 cmp <(img2vec -q -m vit.h5 shapes.h5 --format csv) tokens2.csv
echo 'the old file' >old.h5
refused 'nodir/x.tsv' img2vec -m vit.h5 shapes.h5 --attention nodir/x.tsv -o old.h5
status 0 grep -qx 'the old file' old.h5
status 0 python3 - <<'P'
import h5py, numpy, shutil
shutil.copy("vit.h5", "huge.h5")
with h5py.File("huge.h5", "r+") as f:
    for weight in (f["model"][n] for n in f["model"] if n.endswith("weight")):
        weight[...] = numpy.where(numpy.arange(weight.size).reshape(weight.shape) % 3, 1e38, -1e38)
        del weight.attrs["xxh3"]
P
refused 'huge.h5: its attention in layer 1 is not finite' img2vec -m huge.h5 shapes.h5 --attention x.h5
"${tower[@]}" --net conv -o conv.h5
status 0 img2vec -q -m conv.h5 shapes.h5 -o conv.csv
refused 'conv.h5: this model has no attention' img2vec -m conv.h5 shapes.h5 --attention x.h5
refused 'vit.h5: this model has no decoder' interpolate vit.h5 --from shapes.h5 --to shapes.h5 -o x.h5
refused 'vit.h5: this model has no decoder' interpolate vit.h5 --seeds 1,2 -o x.h5

# ---- odd shapes
for row in '1 7' '2 4' '4 5' '7 61' '3 1'; do
  read -r channels count <<<"$row"
  data-pack -q --synthetic noise --synthetic-count "$count" --image-height 48 --image-width 80 --image-channels "$channels" -o odd.h5
  vae-train -q odd.h5 --net conv --channels 4,6 --latent-dim 3 --likelihood gaussian --steps 1 --batch-size 3 -o odd.model.h5
  status 0 img2vec -q -m odd.model.h5 odd.h5 -o odd.csv
  for batch in 1 3 61; do
    status 0 img2vec -q -m odd.model.h5 odd.h5 --batch-size $batch -o odd2.csv
    status 0 cmp odd.csv odd2.csv
  done
  status 0 test "$(wc -l <odd.csv)" = $((count + 1))
done

# ---- readers that go away, full disks, terminals
for format in hdf5 npy fvecs csv jsonl; do
  status 141 unread img2vec -q -m vae.h5 shapes.h5 --format $format
  status 0 test ! -s stderr
  status 1 bash -c "img2vec -q -m vae.h5 shapes.h5 --format $format >/dev/full"
  stderr_has 'img2vec: standard output: cannot write: No space left on device'
  status 0 test "$(wc -l <stderr)" = 1
  img2vec -q -m vae.h5 shapes.h5 --format $format -o whole
  status 0 bash -c "img2vec -q -m vae.h5 shapes.h5 --format $format -o /dev/stdout | cmp - whole"
  echo 'the old file' >full.x
  (ulimit -f 1 && img2vec -q -m vae.h5 shapes.h5 --format $format -o full.x) 2>&1 >/dev/null | cat >stderr
  last="no room for $format"
  stderr_has 'cannot write: File too large'
  status 0 grep -qx 'the old file' full.x
done
status 0 test -z "$(find . -name '.*.tmp')"
if command -v script >/dev/null; then
  status 2 script -qec 'img2vec -q -m vae.h5 shapes.h5' /dev/null
  stdout_has 'img2vec: standard output is a terminal; give -o FILE'
fi

# ---- folders of names that are no UTF-8 stay in their ids
mkdir -p odd/a && cp "$(find . -name '*.ppm' | head -n 1)" odd/a/$'\xff.ppm'
status 0 img2vec -q -m vae.h5 odd/a/$'\xff.ppm' --format jsonl
stdout_has '"odd/a/%FF.ppm"'
printf 'odd/a/\377.ppm\n' >odd.list
status 0 img2vec -q -m vae.h5 --files-from odd.list --format jsonl
stdout_has '"odd/a/%FF.ppm"'
finish
