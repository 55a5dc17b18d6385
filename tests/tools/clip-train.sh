#!/bin/bash
# clip-train: both kinds of targets, equal bytes, gradient caching and its resumption, odd shapes,
# bad input.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 61 --image-size 16 -o shapes.h5
tower=(--embed-dim 16 --depth 2)
vit=(--patch-size 4 "${tower[@]}" --num-heads 2)
words=(--text-embed-dim 16 --text-depth 1 --text-num-heads 2 --projection-dim 8 --vocab-size 320 --context-length 24)
small=("${vit[@]}" "${words[@]}" --batch-size 16)
newest() { find "$1" -name 'step-*.h5' | sort | tail -1; }

# ---- captions: the file says what it is; equal bytes for any number of threads, at any level
same_bytes clip-train shapes.h5 "${small[@]}" --epochs 2
status 0 model-info --check one.h5
stdout_has '^config.model: clip$'
stdout_has '^config.patch_size: 4$'
stdout_has 'tokenizer'

# ---- it learns: pictures and captions of shapes find each other far above chance (1/16)
status 0 clip-train shapes.h5 "${small[@]}" -j 1 --epochs 60 --learning-rate 3e-3 --metrics m.jsonl --log-every 60 -o learned.h5
last='accuracy of the last record'
status 0 python3 -c '
import json
last = [r for r in map(json.loads, open("m.jsonl")) if "image_to_text" in r and isinstance(r["image_to_text"], float)][-1]
assert last["image_to_text"] > 0.5 and last["text_to_image"] > 0.5, last
assert last["logit_scale"] <= 100, last'

# ---- gradient caching: slices, also uneven ones, stopped after every update and resumed
for loss in clip sigmoid; do
  cached=(shapes.h5 "${small[@]}" --loss "$loss" --steps 9 --grad-accum-steps 4 --dropout 0.1 --patch-dropout 0.3
    --caption-drop 0.5 --hflip --ema-decay 0.9 --val-split 0.2 --val-every 3)
  status 0 clip-train "${cached[@]}" --run-dir straight -o straight.h5
  for attempt in $(seq 40); do
    clip-train "${cached[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
  done
  last='resumed run'
  status 0 test "$attempt" = 12
  status 0 cmp straight.h5 broken.h5
  status 0 cmp straight/best.h5 broken/best.h5
  status 0 cmp "$(newest straight)" "$(newest broken)"
  status 0 clip-train -c broken/config.toml --run-dir again -o again.h5
  status 0 cmp straight.h5 again.h5
  rm -rf straight broken again
done
# Memory falls with the slices; a dry run says so.
memory() { clip-train --synthetic shapes --synthetic-count 512 --image-size 32 "${vit[@]}" "${words[@]}" "$@" --dry-run | sed -n 's/^memory of a step: \([0-9.]*\) MiB/\1/p'; }
whole=$(memory --batch-size 512)
sliced=$(memory --batch-size 512 --grad-accum-steps 8)
last="memory of a step: $whole MiB whole, $sliced MiB in 8 slices"
status 0 awk "BEGIN { exit !($sliced < $whole / 4) }"
echo "summary: memory of a step: $whole MiB whole, $sliced MiB in 8 slices"

# ---- labels
status 0 clip-train shapes.h5 --targets labels "${vit[@]}" --pool mean --pos-embed sincos --label-smoothing 0.1 --steps 3 -o labels.h5
status 0 model-info labels.h5
stdout_has '^config.model: classifier$'
stdout_has '^config.num_classes: [2-9]$'
status 0 clip-train shapes.h5 --targets labels --net conv --channels '8,16' -j 1 --batch-size 16 --epochs 40 --learning-rate 3e-3 --metrics m.jsonl --log-every 100 -o conv.h5
last='accuracy of the last record'
status 0 python3 -c '
import json
last = [r for r in map(json.loads, open("m.jsonl")) if isinstance(r.get("accuracy"), float)][-1]
assert last["accuracy"] > 0.8, last'

# ---- odd shapes
for channels in 1 2 4 7; do
  data-pack -q --synthetic noise --synthetic-count 5 --image-height 48 --image-width 80 --image-channels $channels -o odd.h5
  printf '0\n1\n2\n1\n0\n' >odd.txt
  for batch in 1 3 61; do
    odd=(odd.h5 --labels odd.txt --targets labels "${tower[@]}" --num-heads 2 --patch-size 9 --batch-size "$batch" --steps 3)
    status 0 clip-train "${odd[@]}" --run-dir straight -o straight.h5
    for attempt in 1 2 3 4; do
      clip-train "${odd[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
    done
    status 0 cmp straight.h5 broken.h5
    rm -rf straight broken
  done
done

# ---- bad input
as=()
refused 'expected labels' clip-train --synthetic noise --synthetic-count 9 --image-size 16 --targets labels -o x.h5
data-pack -q --synthetic noise --synthetic-count 9 --image-size 16 -o noise.h5
printf '%s\n' 0 0 0 0 0 0 0 0 0 >same.txt && data-pack -q noise.h5 --labels same.txt -o one-class.h5
refused 'one-class.h5: expected labels of at least 2 classes, found 1' clip-train one-class.h5 --targets labels -o x.h5
status 2 clip-train shapes.h5 "${vit[@]}" "${words[@]}" --batch-size 1 --steps 1 -o x.h5
stderr_has '--batch-size 1: --loss clip needs others to tell a picture from'
status 0 clip-train -q shapes.h5 "${vit[@]}" "${words[@]}" --batch-size 1 --loss sigmoid --steps 1 -o x.h5
status 2 clip-train shapes.h5 --targets labels --net conv --channels '8,8,8,8' --batch-size 1 --steps 1 -o x.h5
stderr_has 'the batch norm of --net conv needs two values a channel'
refused 'shapes.h5: expected at least 2 pictures to tell apart, found 1' clip-train shapes.h5 --limit 1 "${small[@]}" --steps 1 -o x.h5
refused 'conv.h5: none of its ' clip-train shapes.h5 "${small[@]}" --steps 1 --init conv.h5 -o x.h5
refused 'noise.h5: expected labels' clip-train shapes.h5 --targets labels --val-data noise.h5 -o x.h5
printf '%s\n' 0 1 2 3 4 5 6 7 8 >many.txt && data-pack -q noise.h5 --labels many.txt -o many.h5
refused 'many.h5: its classes are not those of shapes.h5' clip-train shapes.h5 --targets labels --val-data many.h5 -o x.h5
printf '%s\n' 0 1 0 1 0 1 0 1 0 >few.txt && data-pack -q --synthetic noise --synthetic-seed 1 --synthetic-count 9 --image-size 16 --labels few.txt -o few.h5
refused 'many.h5: has labels that few.h5 lacks' clip-train few.h5 --targets labels --val-data many.h5 -o x.h5
refused 'caption' clip-train --synthetic noise --synthetic-count 9 --image-size 16 "${small[@]}" -o x.h5
mkdir pictures && for i in 1 2 3; do { printf 'P6\n8 8\n255\n' && head -c 192 /dev/zero; } >pictures/$i.ppm; done
printf 'filepath\ttitle\n1.ppm\ta red thing\n2.ppm\ta blue thing\n' >pictures/captions.tsv
refused '3.ppm' clip-train pictures "${small[@]}" --steps 1 -o x.h5
status 3 clip-train pictures "${small[@]}" --steps 1 --on-error skip -o x.h5
printf 'filepath\ttitle\n1.ppm\ta red thing\n2.ppm\tblue\n3.ppm\tgreen\n2.ppm\tpink\n' >pictures/captions.tsv
refused 'captions.tsv: line 5: a second title of 2.ppm, which has one in line 3' clip-train pictures "${small[@]}" --steps 1 -o x.h5
status 3 clip-train pictures "${small[@]}" --steps 1 --on-error skip -o x.h5
printf 'filepath\ttitle\n1.ppm\ta red thing\n2.ppm\t \n3.ppm\tgreen\n' >pictures/captions.tsv
refused '2.ppm' clip-train pictures "${small[@]}" --steps 1 -o x.h5
python3 -c "print('filepath\ttitle\n1.ppm\ta red thing\n2.ppm\tblue\n3.ppm\t' + 60000 * 'a')" >pictures/captions.tsv
status 0 clip-train -q pictures "${small[@]}" --steps 1 -o x.h5
usage() {
  local text=$1
  shift
  status 2 "$@"
  stderr_has "$text"
}
usage '--embed-dim' clip-train shapes.h5 "${tower[@]}" --num-heads 3 -o x.h5
usage '--text-num-heads' clip-train shapes.h5 "${vit[@]}" --text-embed-dim 16 --text-num-heads 3 -o x.h5
usage '--text-depth goes with --targets captions' clip-train shapes.h5 --targets labels --text-depth 2 -o x.h5
usage '--caption-drop goes with --targets captions' clip-train shapes.h5 --targets labels --caption-drop 0.1 -o x.h5
usage '--label-smoothing goes with --targets labels' clip-train shapes.h5 --label-smoothing 0.1 -o x.h5
usage '--image-std' clip-train shapes.h5 "${small[@]}" --image-std 0 -o x.h5
usage '--image-mean' clip-train shapes.h5 "${small[@]}" --image-mean 0.1,0.2 -o x.h5
usage '--patch-size' clip-train shapes.h5 "${tower[@]}" --num-heads 2 --patch-size 17 -o x.h5
usage '--vocab-size' clip-train shapes.h5 "${vit[@]}" --vocab-size 261 -o x.h5
usage '--channels' clip-train shapes.h5 --targets labels --net conv --channels 8,,16 -o x.h5
usage 'unknown option' clip-train shapes.h5 --sample-every 3 -o x.h5
usage '--synthetic ring: draws vectors' clip-train --synthetic ring --steps 1 -o x.h5
finish
