#!/bin/bash
# CLIP on the captioned avatars of ATELIER_DATA, 64x64: no held-out caption occurs among those trained
# on; 898 updates of 256 are 230,000 pictures. Then 256 held-out pictures with distinct captions must
# find each other, true captions must beat copies with one attribute swapped, and short prompts must
# be understood.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
if [ ! -e "$data/avatars64.tar" ]; then
  echo "skipped: no avatars64.tar in ATELIER_DATA"
  exit 77
fi
ask() { python3 "$source_dir/tests/nightly/clip_captions.py" "$@"; }
if [ ! -e held.h5 ]; then
  rm -rf pictures pictures-held
  mkdir pictures
  tar xf "$data/avatars64.tar" -C pictures
  ask split pictures 800
  data-pack -q pictures -o train.h5
  data-pack -q pictures-held -o held.h5
fi
clip-train train.h5 --val-data held.h5 --preset small-64 --steps 898 --val-every 150 --run-dir run --resume --save-every 2m -o clip.h5
ask texts pictures-held >texts.txt
img2vec -q -m clip.h5 held.h5 -o images.h5
txt2vec -q -m clip.h5 --lines texts.txt -o texts.h5
ask judge pictures-held images.h5 texts.h5 | tee answers
answer() { sed -n "s/^$1: \([0-9.]*\) .*/\1/p" answers; }
training_time run/metrics.jsonl
at_least 'retrieval of 256, image to text' "$(answer 'image to text, top 1')" 0.95
at_least 'retrieval of 256, text to image' "$(answer 'text to image, top 1')" 0.95
at_least 'hair colour' "$(answer 'hair colour swapped')" 0.95
at_least 'background' "$(answer 'background swapped')" 0.95
at_least 'style' "$(answer 'style swapped')" 0.99
at_least 'short prompts of the style' "$(answer 'short prompt of the style')" 0.95
at_least 'short prompts of the background' "$(answer 'short prompt of the background')" 0.95
[ "$misses" = 0 ]
