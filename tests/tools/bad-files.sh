#!/bin/bash
# Files that may not be read, checkpoints that do not fit or lie about themselves, places that take
# no records: one clear line, the right status, the old file as it was.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
small=(--net fc --hidden-dim 8 --latent-dim 2)
train=(vae-train -q shapes.h5 "${small[@]}" --steps 4 --batch-size 8)
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o shapes.h5
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 12 -o twelve.h5
"${train[@]}" --run-dir run -o vae.h5
sample vae.h5 -n 4 -o samples.h5
mkdir set
printf 'P5\n4 4\n255\n0123456789abcdef' | tee set/1.pgm >set/2.pgm

# ---- places that take no result: said before the first update, of which the metrics would tell
endless=(vae-train -q shapes.h5 "${small[@]}" --steps 100M --metrics m.jsonl)
refused 'no/such/m.h5: cannot write: No such file or directory' "${endless[@]}" -o no/such/m.h5
refused 'set: cannot write: Is a directory' "${endless[@]}" -o set
refused 'shapes.h5/m.h5: cannot write: Not a directory' "${endless[@]}" -o shapes.h5/m.h5
refused '/proc/m.h5: cannot write: No such file or directory' "${endless[@]}" -o /proc/m.h5
refused 'no/such/m.jsonl: cannot write: No such file or directory' vae-train -q shapes.h5 "${small[@]}" --steps 100M --metrics no/such/m.jsonl -o x.h5
check 'no update was done' test ! -e m.jsonl

# ---- what this user may not read or write
secrets() {
  export TMPDIR=$PWD  # where spools may lie
  mkdir shut shut.run half
  cp set/1.pgm half/open.pgm
  cp set/2.pgm half/secret.pgm
  printf '1\n2\n' >labels.txt
  echo 'steps = 3' >secret.toml
  cp shapes.h5 secret.h5
  cp vae.h5 secret-model.h5
  chmod 000 shut half/secret.pgm labels.txt secret.toml secret.h5 secret-model.h5
  chmod 555 shut.run
  local denied='cannot open: Permission denied' fit=(vae-train -q "${small[@]}" --steps 3 -o x.h5)
  refused "secret.h5: $denied" data-pack secret.h5 -o x.h5
  refused "secret.h5: $denied" "${fit[@]}" secret.h5
  refused "secret.h5: $denied" "${fit[@]}" shapes.h5 --val-data secret.h5
  refused "secret.h5: $denied" sample vae.h5 --reconstruct secret.h5 -o x.h5
  refused 'shut/: cannot open: Permission denied' data-pack shut -o x.h5
  refused 'shut/: cannot open: Permission denied' "${fit[@]}" shut
  refused "half/secret.pgm: $denied" data-pack half -o x.h5
  refused "half/secret.pgm: $denied" "${fit[@]}" half
  refused "half/secret.pgm: $denied" data-pack half/secret.pgm -o x.h5
  refused "labels.txt: $denied" data-pack set --labels labels.txt -o x.h5
  refused "secret-model.h5: $denied" sample secret-model.h5 -o x.h5
  refused "secret-model.h5: $denied" model-info secret-model.h5
  refused "secret-model.h5: $denied" "${fit[@]}" shapes.h5 --init secret-model.h5
  refused "secret-model.h5: $denied" "${fit[@]}" shapes.h5 --resume=secret-model.h5
  refused "secret.toml: $denied" "${fit[@]}" shapes.h5 -c secret.toml
  refused "secret-model.h5: $denied" img2vec -m secret-model.h5 shapes.h5 -o x.h5
  refused "secret-model.h5: $denied" interpolate secret-model.h5 --seeds 1,2 -o x.h5
  refused "half/secret.pgm: $denied" img2vec -m vae.h5 half -o x.h5
  refused "half/secret.pgm: $denied" img2vec -m vae.h5 half/secret.pgm -o x.h5
  refused "secret.h5: $denied" interpolate vae.h5 --vectors secret.h5 -o x.h5
  refused "secret.h5: $denied" img2vec --merge secret.h5 -o x.h5
  refused "labels.txt: $denied" img2vec -m vae.h5 --files-from labels.txt -o x.h5
  refused 'shut.run/new: ' "${fit[@]}" shapes.h5 --run-dir shut.run/new
  refused 'shut.run' "${fit[@]}" shapes.h5 --run-dir shut.run
  refused 'shut.run/m.jsonl: cannot write: Permission denied' "${fit[@]}" shapes.h5 --metrics shut.run/m.jsonl
  refused 'shut.run/m.h5: cannot write: Permission denied' "${endless[@]}" -o shut.run/m.h5
  chmod 700 shut
}
if [ "$(id -u)" != 0 ]; then
  secrets
elif chmod 777 . && setpriv --reuid=nobody --regid=nogroup --clear-groups "$1/sample" --version >/dev/null 2>&1; then
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
  secrets
  as=()
else
  echo 'skipped: files that may not be read: no other user can run the tools here'
fi

# ---- --init and --resume with a file of another kind, cut, empty, text
: >empty.h5
echo 'a text that is longer than a signature' >text.h5
head -c 3000 run/step-00000004.h5 >cut.h5
for option in --init= --resume=; do
  for kind in shapes:images samples:samples; do
    refused "${kind%:*}.h5: expected kind checkpoint, found kind ${kind#*:}" "${train[@]}" "$option${kind%:*}.h5" -o x.h5
  done
  refused 'empty.h5: the file is empty' "${train[@]}" "${option}empty.h5" -o x.h5
  refused 'text.h5: expected an HDF5 file, found text' "${train[@]}" "${option}text.h5" -o x.h5
  refused 'cut.h5: truncated: 3000 bytes of ' "${train[@]}" "${option}cut.h5" -o x.h5
  refused 'missing.h5: cannot open: No such file or directory' "${train[@]}" "${option}missing.h5" -o x.h5
done
resume=(--resume=run/step-00000004.h5)
refused 'run/step-00000004.h5: ' vae-train -q twelve.h5 "${train[@]:3}" "${resume[@]}" -o x.h5
stderr_has 'model option '
refused "run/step-00000004.h5: training option 'steps' was 4, is 9" vae-train -q shapes.h5 "${small[@]}" --steps 9 --batch-size 8 "${resume[@]}" -o x.h5
cp -r run twelve.run
refused 'twelve.run/step-00000004.h5: ' vae-train -q twelve.h5 "${train[@]:3}" --run-dir twelve.run --resume -o x.h5
status 0 cmp run/step-00000004.h5 twelve.run/step-00000004.h5

# ---- more than one file in one
cat vae.h5 vae.h5 >two.h5
(cat vae.h5 && echo 'more') >longer.h5
for option in --init= --resume=; do
  refused 'two.h5: expected one HDF5 file, found ' "${train[@]}" "${option}two.h5" -o x.h5
  refused 'longer.h5: expected one HDF5 file, found 5 bytes behind its end' "${train[@]}" "${option}longer.h5" -o x.h5
done
refused 'two.h5: expected one HDF5 file, found ' sample two.h5 -o x.h5
refused 'longer.h5: expected one HDF5 file, found 5 bytes behind its end' sample longer.h5 -o x.h5

# ---- records that find no place
refused 'no/such/m.jsonl: cannot write: No such file or directory' "${train[@]}" --metrics no/such/m.jsonl -o x.h5
refused '/dev/full: cannot write: No space left on device' "${train[@]}" --metrics /dev/full -o x.h5
# What holds other things stays as it is.
printf 'no line of ours\nnor one that ends' >notes.txt
printf '{"loss":1}\n' >other.jsonl
cp shapes.h5 kept.h5
for file in notes.txt other.jsonl vae.h5 kept.h5; do
  cp $file before
  refused "$file: expected records of a training, found something else" "${train[@]}" --metrics $file -o x.h5
  status 0 cmp $file before
done
# Ours are gone on with, after a kill within the first line too.
for begin in '' '{"prog' '{"program":"vae-train","thr'; do
  printf '%s' "$begin" >begun.jsonl
  status 0 "${train[@]}" --metrics begun.jsonl -o y.h5
  check 'whole records' grep -q '^{"program":"vae-train",' begun.jsonl
done
status 0 "${train[@]}" --metrics begun.jsonl -o y.h5
check 'two runs' test "$(grep -c '^{"program":' begun.jsonl)" = 2
echo 'the old file' >x.h5
status 1 bash -c '"$@" >/dev/full' sh "${train[@]}" --metrics - -o x.h5
stderr_has 'vae-train: standard output: cannot write: No space left on device'
status 0 grep -qx 'the old file' x.h5

# ---- checkpoints whose parts are missing or not what they must be
if ! /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
  echo 'skipped: checkpoints changed by h5py: python3-h5py is not installed'
  finish
fi
cat >change.py <<'P2'
import shutil
import h5py
import numpy as np
weight = "model/decoder.hidden0.weight"
def change(name, what):
    shutil.copy("vae.h5", name + ".h5")
    with h5py.File(name + ".h5", "r+") as file:
        what(file)
def tensor(make, name=weight, **layout):
    def what(file):
        data = make(file[name][()])
        del file[name]
        file.create_dataset(name, data=data, **layout)
    return what
def field(name, value):
    return lambda file: file["config"].attrs.__setitem__(name, value)
def spoiled(value):
    def make(data):
        data.flat[3] = value
        return data
    return make
change("absent", lambda file: file.__delitem__(weight))
change("shape", tensor(lambda data: data[:, :-1]))
change("rank", tensor(lambda data: data[0, 0]))
change("f64", tensor(lambda data: data.astype("f8")))
change("f16", tensor(lambda data: data.astype("f2")))
change("gzip", tensor(lambda data: data, chunks=True, compression="gzip"))
change("big", tensor(lambda data: data.astype(">f4")))
change("nan", tensor(spoiled(np.nan)))
change("inf", tensor(spoiled(-np.inf)))
change("text", tensor(lambda data: np.array([b"a text"])))
change("model", field("model", np.bytes_("no-such-family")))
change("nameless", lambda file: file["config"].attrs.__delitem__("model"))
change("configless", lambda file: file.__delitem__("config"))
change("field", field("no_such_field", 3))
change("wordy", field("latent_dim", np.bytes_("two")))
change("negative", field("latent_dim", -2))
change("huge", field("latent_dim", 2**40))
change("large", field("hidden_dim", np.bytes_("9")))
change("net", field("net", np.bytes_("round")))
for key in "crop", "filter", "background", "value_range":
    change(key, lambda file: file["preprocess"].attrs.__setitem__(key, np.bytes_("zzz")))
P2
status 0 /usr/bin/python3 change.py
name=decoder.hidden0.weight
both() {  # TEXT FILE: who draws from it, and who begins with it
  refused "$2.h5: $1" sample "$2.h5" -o x.h5
  refused "$2.h5: $1" "${train[@]}" --init "$2.h5" -o x.h5
}
both "parameter '$name': expected f32[2,8], the store holds f32[2,7]" shape
both "parameter '$name': expected f32[2,8], the store holds f32[]" rank
both "parameter '$name': expected f32[2,8], the store holds f64[2,8]" f64
both "/model/$name: expected f32, found f16" f16
both "/model/$name: expected a contiguous dataset" gzip
both "/model/$name: expected a contiguous dataset" big
both "/model/$name holds nan; values must be finite" nan
both "/model/$name holds inf; values must be finite" inf
both "/model/$name: expected f32, found text" text
both '/config names no model' nameless
both '/config names no model' configless
refused "absent.h5: no tensor '$name'" sample absent.h5 -o x.h5
refused "model.h5: " sample model.h5 -o x.h5
stderr_has 'no-such-family'
refused 'field.h5: ' sample field.h5 -o x.h5
stderr_has 'no_such_field'
refused "wordy.h5: latent_dim 'two': expected a whole number" sample wordy.h5 -o x.h5
refused "negative.h5: latent_dim '-2': expected a whole number from 1 to 1000000" sample negative.h5 -o x.h5
refused "huge.h5: latent_dim '1099511627776': expected a whole number from 1 to 1000000" sample huge.h5 -o x.h5
refused 'large.h5: ' sample large.h5 -o x.h5
refused 'net.h5: ' sample net.h5 -o x.h5
stderr_has 'round'
for key in crop filter background value_range; do
  refused "$key.h5: /preprocess: " sample "$key.h5" -o x.h5
  stderr_has "'zzz': expected "
  status 0 sample "$key.h5" --reconstruct shapes.h5 -n 1 --crop none --filter box --background white --value-range 0,1 -o drawn.h5
done
status 2 sample vae.h5 --reconstruct shapes.h5 --crop zzz -o x.h5
stderr_has "--crop 'zzz'"
finish
