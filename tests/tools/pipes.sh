#!/bin/bash
# Every tool that writes to a pipe before every tool that reads from one: it works, or ends in one
# line of the reader that says what was expected and what came.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
small=(--net fc --hidden-dim 8 --latent-dim 2)
data-pack -q --synthetic shapes --synthetic-count 20 --image-size 8 -o shapes.h5
vae-train -q shapes.h5 "${small[@]}" --steps 3 -o vae.h5

mkdir set
printf 'filepath\ttitle\n' >set/captions.tsv
for i in 1 2 3 4; do
  { printf 'P6\n8 8\n255\n' && head -c 192 /dev/zero | tr '\0' "\\$((i + 100))"; } >set/$i.ppm
  printf '%s.ppm\ta picture of %s\n' $i "$(seq -s ' ' $i)" >>set/captions.tsv
done
data-pack -q set -o captioned.h5
tower=(--patch-size 4 --embed-dim 8 --depth 1 --num-heads 2 --text-embed-dim 8 --text-depth 1 --text-num-heads 2 --projection-dim 2 --vocab-size 300 --context-length 16 --steps 2 --batch-size 4)
clip-train -q captioned.h5 "${tower[@]}" -o clip.h5

img2vec -q -m vae.h5 shapes.h5 -o vectors.h5
model-eval vectors.h5 --save-stats stats.h5 >stdout

# What comes through the pipe, by its kind.
declare -A writers=(
  [images]='data-pack -q shapes.h5 -o -'
  [model]='vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3 -o -'
  [samples]='sample vae.h5 -n 4 --format hdf5'
  [grid]='sample vae.h5 -n 4'
  [ppm]='sample vae.h5 -n 4 --format ppm'
  [tar]='sample vae.h5 -n 4 --format tar'
  [frames]='interpolate vae.h5 --seeds 1,2 --frames 4 --format hdf5'
  [strip]='interpolate vae.h5 --seeds 1,2 --strip'
  [film]='interpolate vae.h5 --seeds 1,2 --frames 4 --format ppm'
  [members]='interpolate vae.h5 --seeds 1,2 --frames 4 --format tar'
  [vectors]='img2vec -q -m vae.h5 shapes.h5'
  [stats]='cat stats.h5'
  [npy]='img2vec -q -m vae.h5 shapes.h5 --format npy'
  [fvecs]='img2vec -q -m vae.h5 shapes.h5 --format fvecs'
  [csv]='img2vec -q -m vae.h5 shapes.h5 --format csv'
  [jsonl]='img2vec -q -m vae.h5 shapes.h5 --format jsonl'
  [text]='model-info vae.h5'
  [captioned]='data-pack -q set -o -'
  [clip]="clip-train -q captioned.h5 ${tower[*]} -o -"
  [texts]='txt2vec --model clip.h5 "a picture" "of 1 2"'
)
pictures='images samples grid ppm tar frames strip film members captioned'
several='images samples ppm tar frames film members captioned'  # of one size, that of shapes.h5
hdf5='images model samples frames vectors stats captioned clip texts'
# Who reads | what it can read.
cat >readers <<T
data-pack -q - --image-size 8 -o x.h5|$pictures
vae-train -q - --net fc --hidden-dim 8 --latent-dim 2 --steps 2 --image-size 8 -o x.h5|$pictures
vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 2 --init - -o x.h5|model
sample - -n 2 --format hdf5 -o x.h5|model
sample vae.h5 --reconstruct - --format hdf5 -o x.h5|$pictures
img2vec -q -m vae.h5 - -o x.h5|$pictures
img2vec -q -m - set -o x.h5|model clip
img2vec --merge - -o x.h5|vectors texts
clip-train -q - ${tower[*]} --image-size 8 -o x.h5|captioned images
txt2vec --model - -o x.h5 'a picture'|clip
interpolate - --seeds 1,2 --frames 3 --format hdf5 -o x.h5|model
interpolate vae.h5 --vectors - --frames 3 --format hdf5 -o x.h5|vectors
interpolate vae.h5 --from - --to shapes.h5 --frames 3 --format hdf5 -o x.h5|$pictures vectors
interpolate vae.h5 --from vectors.h5 --to - --frames 3 --format hdf5 -o x.h5|$pictures vectors
model-eval - --save-stats x.h5|$several vectors texts
model-eval - --reference shapes.h5 --bootstrap 0|$several
model-eval shapes.h5 --reference - --bootstrap 0|$several
model-eval - --reference stats.h5 --bootstrap 0|vectors
model-eval vectors.h5 --reference - --bootstrap 0|vectors stats
model-eval vectors.h5 --probe -|vectors
model-eval - --probe vectors.h5|vectors
model-info --check -|$hdf5
T
pipes=0 refusals=0
for kind in "${!writers[@]}"; do
  bash -c "${writers[$kind]} >$kind.bytes"
  while IFS='|' read -r reader kinds; do
    echo 'the old file' >x.h5
    got=0
    bash -c "set -o pipefail; ${writers[$kind]} | $reader" >stdout 2>stderr </dev/null || got=$?
    last="${writers[$kind]} | $reader"
    checks=$((checks + 1))
    case " $kinds " in
      *" $kind "*)
        pipes=$((pipes + 1))
        [ "$got" = 0 ] || fault "expected status 0, found $got"
        # A file in place of the pipe gives the same.
        cp x.h5 piped.h5
        cp stdout piped.out
        status 0 bash -c "$reader <$kind.bytes"
        check "of $reader: a file gives what a pipe gives" cmp stdout piped.out
        check "of $reader: a file gives what a pipe gives" cmp x.h5 piped.h5
        case $reader in *' x.h5'*) status 0 model-info --check x.h5 ;; esac
        ;;
      *)
        refusals=$((refusals + 1))
        # The writer may have died of the pipe: 141 in place of the reader's 1.
        [ "$got" = 1 ] || [ "$got" = 141 ] || fault "expected status 1, found $got"
        grep "^${reader%% *}: " stderr >said
        [ "$(wc -l <said)" = 1 ] || fault 'expected one line of the reader'
        # Of two files that do not go together either may come first.
        grep -q '^[a-z0-9-]*: .*standard input' said || fault 'expected the name of standard input'
        grep -qx 'the old file' x.h5 || fault 'the old file is gone'
        ;;
    esac
  done <readers
done
echo "summary: pipes: $pipes that work, $refusals refused in one line"

# Longer ones, end to end.
status 0 bash -c 'set -o pipefail
data-pack -q shapes.h5 -o - | vae-train -q - --net fc --hidden-dim 8 --latent-dim 2 --steps 3 -o - | img2vec -q -m - shapes.h5 | img2vec --merge - --format csv >long.csv'
status 0 cmp long.csv csv.bytes
status 0 bash -c 'set -o pipefail
interpolate vae.h5 --seeds 1,2 --frames 5 --format ppm | img2vec -q -m vae.h5 - | interpolate vae.h5 --vectors - --frames 5 --format ppm | data-pack -q - -o round.h5'
status 0 model-info --check round.h5
status 0 bash -c 'set -o pipefail
mkdir -p pictures && sample vae.h5 -n 4 --format tar | tar -xf - -C pictures
find pictures -name "*.png" -print0 | sort -z | img2vec -q -m vae.h5 -0 --files-from - --format jsonl >listed.jsonl'
status 0 test "$(wc -l <listed.jsonl)" = 4
status 0 bash -c 'set -o pipefail
find pictures -name "*.png" -print0 | sort -z | img2vec -q -m vae.h5 -0 --files-from - | model-eval - --reference vectors.h5 --bootstrap 0'
stdout_has '^rows: 4$'
stdout_has '^reference_rows: 20$'
# Names of pipes, and two of them.
status 0 model-eval vectors.h5 --reference stats.h5 --bootstrap 0
cp stdout named.out
status 0 bash -c 'model-eval <(img2vec -q -m vae.h5 shapes.h5) --reference <(cat stats.h5) --bootstrap 0'
check 'names of pipes give what files give' cmp stdout named.out
status 0 bash -c 'cat vectors.h5 vectors.h5 | model-eval - --probe <(cat vectors.h5)'
stdout_has '^rows: 40$'
status 0 interpolate vae.h5 --from vectors.h5 --to shapes.h5 --to-index 3 --frames 3 -o named.png
status 0 bash -c 'interpolate vae.h5 --from <(cat vectors.h5) --to <(cat shapes.h5) --to-index 3 --frames 3 -o piped.png'
check 'the same between' cmp named.png piped.png
status 0 bash -c 'img2vec -q -m <(cat vae.h5) <(cat shapes.h5) -o piped.h5'
check 'a model too' cmp vectors.h5 piped.h5
status 1 bash -c 'cat stats.h5 stats.h5 | model-eval vectors.h5 --reference -'
stderr_has 'model-eval: standard input: expected one HDF5 image, found more behind it'
finish
