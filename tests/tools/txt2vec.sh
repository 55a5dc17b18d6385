#!/bin/bash
# txt2vec: texts from everywhere, formats, templates, statuses, bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

mkdir set
printf 'filepath\ttitle\n' >set/captions.tsv
i=0
for color in pink mint gray; do
  for hair in long short; do
    i=$((i + 1))
    { printf 'P6\n8 8\n255\n' && head -c 192 /dev/zero | tr '\0' "\\$((i + 100))"; } >set/$i.ppm
    printf '%s\tpixel avatar with %s hair and a hat on a %s background\n' $i.ppm $hair $color >>set/captions.tsv
  done
done
sizes=(--patch-size 4 --embed-dim 8 --depth 1 --num-heads 2 --text-embed-dim 8 --text-depth 1
  --text-num-heads 2 --projection-dim 6 --vocab-size 400 --context-length 16)
status 0 clip-train -q set -o clip.h5 "${sizes[@]}" --steps 3 --batch-size 6 --caption-drop 0.5
cp clip.h5 before.h5

# ---- the same vectors wherever texts come from, in any batch, on any number of threads
printf 'a pink background\nshort hair\na hat\n' >texts.txt
status 0 txt2vec --model clip.h5 'a pink background' 'short hair' 'a hat' -o operands.h5
status 0 txt2vec --model clip.h5 --lines texts.txt -o lines.h5
check 'a file gives what operands give' cmp operands.h5 lines.h5
status 0 bash -c 'txt2vec --model clip.h5 <texts.txt >piped.h5'
check 'a pipe gives what operands give' cmp operands.h5 piped.h5
status 0 bash -c 'txt2vec --model - --lines texts.txt <clip.h5 >other.h5'
check 'a model may come through a pipe' cmp operands.h5 other.h5
status 0 bash -c 'txt2vec --model clip.h5 "a pink background" --lines - --batch-size 1 -j 1 < <(tail -n 2 texts.txt) >mixed.h5'
check 'operands come before lines; batches and threads do not matter' cmp operands.h5 mixed.h5
status 0 txt2vec --model clip.h5 --batch-size 2 -j 3 --lines texts.txt -o threads.h5
check 'nor do three threads' cmp operands.h5 threads.h5
status 0 model-info --check operands.h5
stdout_has '^kind: vectors$'
status 0 python3 - <<'P'
import h5py, numpy
with h5py.File("operands.h5") as f:
    assert f["vectors"].shape == (3, 6) and f["vectors"].dtype == "f4"
    assert [t.decode() for t in f["meta/ids"]] == ["a pink background", "short hair", "a hat"]
    assert f["vectors"].attrs["normalized"] == 0 and f["config"].attrs["program"] == b"txt2vec"
P

# ---- case and white space do not matter, words do
status 0 txt2vec --model clip.h5 --format csv 'A  Pink BACKGROUND'
cut -d, -f2- stdout | tail -n 1 >loud
status 0 txt2vec --model clip.h5 --format csv 'a pink background'
cut -d, -f2- stdout | tail -n 1 >quiet
check 'case and spaces are folded' cmp loud quiet

# ---- captions of a data set, packed or not
status 0 txt2vec --model clip.h5 --captions set --format csv
stdout_has '^pixel avatar with long hair and a hat on a pink background,'
check 'one row a picture' test "$(wc -l <stdout)" = 7
cp stdout folder.csv
data-pack -q set -o set.h5
status 0 txt2vec --model clip.h5 --captions set.h5 -o packed.csv
check 'a packed set gives the same' cmp folder.csv packed.csv

# ---- templates and lengths
status 0 txt2vec --model clip.h5 --template 'a photo of {}' --template '{}' --normalize 'a hat' -o zero.npy
status 0 txt2vec --model clip.h5 --normalize 'a photo of a hat' 'a hat' -o units.npy
status 0 python3 - <<'P'
import numpy
units, zero = numpy.load("units.npy").astype("f8"), numpy.load("zero.npy").astype("f8")
mean = units.mean(0)
assert numpy.abs(zero[0] - mean / numpy.linalg.norm(mean)).max() < 1e-6
assert numpy.abs(numpy.linalg.norm(units, axis=1) - 1).max() < 1e-6
P
status 0 txt2vec --model clip.h5 --dtype f16 -o half.h5 'a hat'
status 0 txt2vec --model clip.h5 'a pixel avatar with a pixel hat and a mint hat and a pink hat on a gray background' -o long.h5
stderr_has ' 1 text does not fit into the 16 tokens of the model and is cut'
status 0 txt2vec --model clip.h5 -o long.h5 {one,two}' hat and a mint hat and a pink hat and a hat and a hat and a hat and a hat on a gray background'
stderr_has ' 2 texts do not fit into the 16 tokens of the model and are cut'

# ---- a config file repeats a run
printf 'model = "clip.h5"\ntext = ["a hat"]\ntemplate = ["a {}", "{}"]\nformat = "csv"\n' >run.toml
status 0 txt2vec -c run.toml
cp stdout first
status 0 txt2vec --model clip.h5 --template 'a {}' --template '{}' --format csv 'a hat'
check 'the file says what the command line says' cmp first stdout

# ---- vectors of pictures by the same model say so
status 0 img2vec -q -m clip.h5 set -o pictures.h5
status 0 python3 - <<'P'
import h5py
with h5py.File("pictures.h5") as pictures, h5py.File("operands.h5") as texts:
    assert pictures["inputs"].attrs["model"] == texts["inputs"].attrs["model"]
    assert pictures["vectors"].shape[1] == texts["vectors"].shape[1]
P

# ---- classes named by texts
mkdir -p classed/hat classed/hair
cp set/[123].ppm classed/hat && cp set/[45].ppm classed/hair
printf 'hat\nhair\n' >names.txt
status 0 txt2vec -q --model clip.h5 --lines names.txt --template 'a {}' --template '{}' -o classes.h5
status 0 model-eval classed --features clip.h5 --zero-shot classes.h5
stdout_has '^features: clip@[0-9a-f]{16}$'
stdout_has '^classes: 2$'
stdout_has '^majority_accuracy: 0.6$'
stdout_has '^zero_shot_accuracy: [0-9.]+ clip@[0-9a-f]{16}$'
cp stdout direct
status 0 bash -c 'img2vec -q -m clip.h5 classed | model-eval - --zero-shot classes.h5'
check 'vectors in a pipe say the same' cmp direct stdout
status 0 bash -c 'txt2vec -q --model clip.h5 --template "a {}" --template "{}" hat hair | model-eval classed --features clip.h5 --zero-shot -'
check 'so do texts in a pipe' cmp direct stdout
status 0 bash -c 'model-eval <(img2vec -q -m clip.h5 classed) --zero-shot <(cat classes.h5)'
check 'so do pipes with names' cmp direct stdout
status 2 model-eval classed --zero-shot classes.h5
stderr_has '--zero-shot: pictures need --features CHECKPOINT, that of the texts'
# Tokens are not in the space that pictures and texts share, however wide they are.
# Tokens of 8 numbers: so many has the space now, too, in place of 6.
status 0 clip-train -q set -o wide.h5 "${sizes[@]/#6/8}" --steps 1 --batch-size 6
status 0 txt2vec -q --model wide.h5 hat hair -o wide-texts.h5
status 0 img2vec -q -m wide.h5 classed --pool mean -o tokens.h5
refused 'tokens.h5: vectors of pool mean, but those of wide-texts.h5 are of auto' model-eval tokens.h5 --zero-shot wide-texts.h5
status 0 img2vec -q -m wide.h5 classed --limit 2 --pool cls -o tokens.h5
refused 'tokens.h5: vectors of pool cls, but those of wide-texts.h5 are of auto' model-eval tokens.h5 --retrieval wide-texts.h5
refused 'zero-shot accuracy needs labels, there are none' model-eval set --features clip.h5 --zero-shot classes.h5
status 0 txt2vec -q --model clip.h5 hat -o one.h5
refused "one.h5: a text is called 'hat', as a class of classed, but none is called 'hair'" model-eval classed --features clip.h5 --zero-shot one.h5
status 0 txt2vec -q --model clip.h5 cap -o one.h5
refused 'one.h5: 1 texts for the 2 classes of classed' model-eval classed --features clip.h5 --zero-shot one.h5
status 0 vae-train -q classed -o small.h5 --net fc --hidden-dim 8 --latent-dim 6 --steps 1
refused "classes.h5: vectors of 'clip@" model-eval classed --features small.h5 --zero-shot classes.h5

# ---- another model's tokenizer is not taken for the own one
cp -r set others && sed -i 's/pixel avatar with/quite other words about a/' others/captions.tsv
status 0 clip-train -q others -o others.h5 "${sizes[@]}" --steps 1 --batch-size 6
status 0 python3 - <<'P'
import h5py, shutil
shutil.copy("clip.h5", "foreign.h5")
with h5py.File("foreign.h5", "r+") as f, h5py.File("others.h5") as o:
    del f["tokenizer"]
    f["tokenizer"] = o["tokenizer"][:]
    f["tokenizer"].attrs["type"] = o["tokenizer"].attrs["type"]
P
refused 'foreign.h5: /tokenizer: is not the one that the model was trained with: expected ' txt2vec --model foreign.h5 -o x.h5 'a hat'

# ---- statuses
status 3 txt2vec --model clip.h5 --on-error skip --format csv 'a hat' ''
stderr_has 'text 2: the text is empty (skipped)'
check 'the good one is there' grep -q '^a hat,' stdout
refused 'text 2: the text is empty' txt2vec --model clip.h5 -o x.h5 'a hat' ''
printf 'a hat\n\n' >gap.txt
refused 'gap.txt: line 2: the text is empty' txt2vec --model clip.h5 -o x.h5 --lines gap.txt
printf 'a hat\n\377\n' >bytes.txt
refused 'bytes.txt: line 2: expected a text in UTF-8' txt2vec --model clip.h5 -o x.h5 --lines bytes.txt
refused 'set.h5: line 1' txt2vec --model clip.h5 -o x.h5 --lines set.h5
refused 'none.txt: cannot open' txt2vec --model clip.h5 -o x.h5 --lines none.txt
: >empty.txt
refused 'no texts were given' txt2vec --model clip.h5 -o x.h5 --lines empty.txt
cp set/1.ppm set/bare.ppm
refused 'set/bare.ppm: the picture has no caption' txt2vec --model clip.h5 -o x.h5 --captions set
status 3 txt2vec -q --model clip.h5 --on-error skip --captions set -o skipped.csv
check 'the others are there' cmp folder.csv skipped.csv
status 0 vae-train -q set -o vae.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 1
refused 'vae.h5: this model does not read text' txt2vec --model vae.h5 -o x.h5 'a hat'
python3 - <<'P'
import h5py, numpy
with h5py.File("before.h5", "r+") as f:
    del f["tokenizer"]
P
refused 'before.h5: holds no tokenizer' txt2vec --model before.h5 -o x.h5 'a hat'
python3 - <<'P'
import h5py, numpy
with h5py.File("before.h5", "r+") as f:
    f.create_dataset("tokenizer", data=numpy.arange(99, dtype="u1")).attrs["type"] = numpy.bytes_("clip-bpe")
P
refused 'before.h5: /tokenizer: expected type sentencepiece, found clip-bpe' txt2vec --model before.h5 -o x.h5 'a hat'
python3 - <<'P'
import h5py, numpy
with h5py.File("before.h5", "r+") as f:
    f["tokenizer"].attrs["type"] = numpy.bytes_("sentencepiece")
    del f["config"].attrs["tokenizer_xxh3"]  # as of an older version
P
refused 'before.h5: /tokenizer: holds no tokenizer of SentencePiece' txt2vec --model before.h5 -o x.h5 'a hat'
refused 'operands.h5: expected kind checkpoint, found kind vectors' txt2vec --model operands.h5 -o x.h5 'a hat'
for line in "'a hat'" '--model clip.h5 -' '--model clip.h5 --template photo a' '--model clip.h5 --batch-size 0 a' \
  '--model clip.h5 -o clip.h5 a' '--model clip.h5 --lines texts.txt -o texts.txt --format csv' \
  '--model - --lines -' '--model clip.h5 -o x.bin a' '--model clip.h5 --dtype f16 -o x.fvecs a' '--model -'; do
  status 2 bash -c "txt2vec $line </dev/null"
done
status 2 txt2vec --model clip.h5 --template photo a
stderr_has "--template 'photo': expected {} where the text belongs"
finish
