#!/bin/bash
# model-info: what it says of each kind, statuses, damage.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

data-pack -q --synthetic shapes --synthetic-count 10 --image-size 8 -o shapes.h5
vae-train -q shapes.h5 --net fc --hidden-dim 16 --latent-dim 2 --steps 2 -o vae.h5
status 0 model-info shapes.h5
stdout_has '^kind: images$'
status 0 model-info vae.h5
stdout_has '^config.latent_dim: 2$'
stdout_has '^config.model: vae$'
status 0 model-info --tensors vae.h5
stdout_has '^/model/.*f32.*\[192,16\]'
status 0 bash -c 'model-info --json vae.h5 >vae.json'
status 0 python3 -c 'import json; assert json.loads(open("vae.json").read())["kind"] == "checkpoint"'
status 0 model-info --check vae.h5 shapes.h5
stdout_has '^checksums: right$'
# The mean and variance of a channel are no parameters: weights and biases of the two convolutions
# and the norm between them.
vae-train -q shapes.h5 --net conv --channels 4 --norm batch --latent-dim 2 --steps 2 --ema-decay 0.9 -o conv.h5
trained=$(vae-train shapes.h5 --net conv --channels 4 --norm batch --latent-dim 2 --steps 2 --dry-run | sed -n 's/^parameters: //p')
status 0 model-info conv.h5
stdout_has "^parameters: $trained\$"
stdout_has '^running_statistics: [0-9]+$'
python3 - <<'P'
import h5py
with h5py.File("conv.h5", "a") as f:
    del f["ema0"]
with h5py.File("shapes.h5", "r") as f, h5py.File("partly.h5", "w") as to:
    for name in f: f.copy(name, to)
    for key, value in f.attrs.items(): to.attrs[key] = value
    del to["images"].attrs["xxh3"]
P
status 0 model-info --check partly.h5
stdout_has '^checksums: right, but 1 datasets have none$'
# A group that lies below itself is not entered again there; another name of it does no harm.
python3 - <<'P'
import h5py, shutil
shutil.copy("vae.h5", "circle.h5")
with h5py.File("circle.h5", "a") as f:
    f["alias"] = f["model"]
    f["model/again"] = f["model"]
    f["model/all"] = f["/"]
P
status 0 timeout 20 model-info --check --tensors circle.h5
stdout_has '^checksums: right$'
status 0 timeout 20 sample circle.h5 -n 1 -o x.png
rm x.png
status 1 sample conv.h5 -n 1 -o x.png
stderr_has 'no average, though it was trained with --ema-decay; --average none'
status 0 sample conv.h5 -n 1 --average none -o x.png
cp vae.h5 text.h5
python3 - <<'P'
import h5py, numpy
with h5py.File("text.h5", "a") as f:
    f.create_dataset("tokenizer", data=numpy.arange(9, dtype="u1")).attrs["type"] = numpy.bytes_("sentencepiece")
P
status 0 model-info text.h5
stdout_has '^tokenizer: sentencepiece$'
status 2 model-info
status 0 env ATELIER_ISA=avx2 model-info -vv -j 2 vae.h5
stderr_has 'model-info: kernels avx2, 2 threads'
status 0 model-info -v vae.h5
status 0 test ! -s stderr
status 2 model-info --json --tensors vae.h5
stderr_has '--json and --tensors exclude each other'
status 2 model-info - -
stderr_has 'standard input can be read once'
status 1 model-info missing.h5
# A damaged tensor: its bytes lie in the last third of the file.
size=$(stat -c %s vae.h5)
cp vae.h5 damaged.h5
offset=$((size - 600))
printf '\377\377\377\377' | dd of=damaged.h5 bs=1 seek=$offset conv=notrunc 2>/dev/null
status 1 bash -c 'model-info --check damaged.h5 2>stderr.damaged'
status 0 grep -q 'is damaged\|unreadable' stderr.damaged
status 1 sample damaged.h5 -o x.png
printf 'hello, this is a text of more than eight bytes\n' >text.h5
status 1 model-info text.h5
stderr_has 'expected an HDF5 file, found text'
status 1 model-info .
for path in "${PATH%%:*}"/*; do
  tool=${path##*/}
  status 0 "$tool" --version
  stdout_is "$tool (atelier) 0.1.0\n"
  status 0 "$tool" -v --version
  status 0 test "$(head -n 1 stdout)" = "$tool (atelier) 0.1.0"
  status 0 test "$("$tool" -v --version | sed 's/[0-9.]*$//; s/ .*//' | paste -sd ' ')" = "$tool HDF5 fmt kernels"
  status 0 env ATELIER_ISA=avx2 "$tool" -v --version
  stdout_has '^HDF5 [0-9]+\.[0-9]+\.[0-9]+$'
  stdout_has '^fmt [0-9]+\.[0-9]+\.[0-9]+$'
  stdout_has '^kernels avx2$'
  status 0 "$tool" --help
  status 2 "$tool" --no-such-option
  stderr_has "(see $tool --help)"
  for shell in bash zsh fish; do status 0 "$tool" --completion $shell; done
  status 0 bash -n <("$tool" --completion bash)
  status 2 "$tool" --completion tcsh
  status 1 bash -c "$tool --help >/dev/full"
done
finish
