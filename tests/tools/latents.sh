#!/bin/bash
# Latents from file to samples: h5py writes some, a diffusion model learns and makes others, h5py
# reads them; what is no file of latents is refused in one line.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
python() { /usr/bin/python3 "$@"; }
if ! python -c 'import h5py' 2>/dev/null; then
  echo 'skipped: h5py is not installed'
  finish
fi

# ---- what another program writes: 48 latents of 4x4x4, of deviation 4
cat >made.py <<'P'
import h5py, numpy as np

def write(name, values, factor=0.25, **attributes):
    with h5py.File(name, "w") as file:
        file.attrs["format"] = "atelier"
        file.attrs["format_version"] = np.array([1, 0], "u4")
        file.attrs["kind"] = "latents"
        made = file.create_dataset("latents", data=values)
        if factor is not None:
            made.attrs["scaling_factor"] = factor
        for key, value in attributes.items():
            made.attrs[key] = value
        if len(values):
            file["labels"] = np.arange(len(values), dtype="i4") % 3

random = np.random.RandomState(7)
x = (4 * random.randn(48, 4, 4, 4)).astype("f4")
write("l.h5", x, vae="vae@00ff")
write("half.h5", x.astype("f2"), vae="vae@00ff")
write("flat.h5", x.reshape(48, 64))
write("other.h5", x, 0.5, vae="vae@00ff")
write("bare.h5", x, None)
write("zero.h5", x, 0.0)
write("rank.h5", x[0])
write("double.h5", x.astype("f8"))
write("none.h5", x[:0])
x[5, 1, 2, 3] = np.nan
write("nan.h5", x)
P
status 0 python made.py
status 0 model-info --check l.h5
stdout_has '^kind: latents$'
stdout_has '^latents.scaling_factor: 0.25$'
stdout_has '^latents.vae: vae@00ff$'

# ---- training: equal bytes, resumption, the same model of f16 as of what it holds
dit=(--net dit --patch-size 2 --embed-dim 8 --depth 1 --num-heads 2 --batch-size 8)
same_bytes ddpm-train l.h5 "${dit[@]}" --steps 3 --class-conditional
status 0 ddpm-train l.h5 "${dit[@]}" --steps 3 --val-split 0.2 -o m.h5
stderr_has ' latents 4x4x4 to train on'
status 0 model-info m.h5
stdout_has '^config.scaling_factor: 0.25$'
stdout_has '^config.real: true$'
stdout_has '^preprocess.vae: vae@00ff$'
# Of deviation 1 when scaled: a new network, which tells nothing, errs by 1 of what it is to tell.
status 0 ddpm-train -q l.h5 "${dit[@]:0:10}" --batch-size 48 --prediction-type x0 --steps 1 --learning-rate 0 --log-every 1 --metrics x0.jsonl -o new.h5
check 'latents are noised at deviation 1' python3 -c 'import json, sys
loss = [json.loads(line)["loss"] for line in open("x0.jsonl") if "\"loss\"" in line and "epoch" in line][0]
sys.exit(abs(loss - 1) > 0.1)'
# A factor that is the deviation, not its inverse.
python3 -c 'import h5py, shutil
shutil.copy("l.h5", "wrong.h5")
h5py.File("wrong.h5", "a")["latents"].attrs["scaling_factor"] = 4.0'
status 0 ddpm-train wrong.h5 "${dit[@]}" --steps 1 -o new.h5
stderr_has 'wrong.h5: scaling_factor 4 makes the deviation of the latents 15.9; expected about 1'
status 0 ddpm-train l.h5 "${dit[@]}" --steps 1 -o new.h5
check 'the right factor is not warned of' test "$(grep -c 'makes the deviation' stderr)" = 0
full=(l.h5 "${dit[@]}" --steps 5 --ema-decay 0.9)
status 0 ddpm-train -q "${full[@]}" --run-dir straight -o straight.h5
for attempt in $(seq 20); do
  ddpm-train -q "${full[@]}" --run-dir broken --resume --max-time 0.0001s -o broken.h5 2>stderr && break
done
status 0 test "$attempt" -ge 5
status 0 cmp straight.h5 broken.h5
status 0 cmp straight/step-00000005.h5 broken/step-00000005.h5

# ---- a network without a factor does not draw them, with sides or without
for name in l flat; do
  status 1 gan-train -q $name.h5 --net mlp --val-samples 0 --steps 1 -o x.h5
  stderr_has "$name.h5: holds latents of"
done
# ---- nor are latents of another factor those of a model, or latents pictures
status 1 model-eval wrong.h5 --denoising m.h5
stderr_has "wrong.h5: scaling_factor is '4', but '0.25' in m.h5"
status 1 interpolate m.h5 --from wrong.h5 --to l.h5 -o x.h5
stderr_has "wrong.h5: scaling_factor is '4', but '0.25' in m.h5"
data-pack -q --synthetic shapes --synthetic-count 4 --image-size 4 -o pictures.h5
status 1 ddpm-train l.h5 pictures.h5 --steps 1 -o x.h5
stderr_has 'pictures.h5/shapes/000000: is a picture, but l.h5'
# ---- samples are latents in the units of the file
status 0 sample one.h5 -n 5 --sample-steps 5 -o five.h5
status 0 sample one.h5 --seeds 3 --sample-steps 5 -o third.h5
status 0 sample one.h5 --class 2 -n 2 --sample-steps 5 -o second.h5
status 0 bash -c 'sample m.h5 -n 2 --sample-steps 5 | model-info --check -'
stdout_has '^kind: latents$'
status 0 model-info five.h5
stdout_has '^kind: latents$'
stdout_has '^latents.scaling_factor: 0.25$'
stdout_has '^latents.vae: vae@00ff$'
status 0 ddpm-train -q other.h5 "${dit[@]}" --steps 1 --learning-rate 0 -o twice.h5
status 0 ddpm-train -q l.h5 "${dit[@]}" --steps 1 --learning-rate 0 -o once.h5
for model in once twice; do status 0 sample -q $model.h5 -n 5 --sample-steps 5 -o drawn-$model.h5; done
status 0 python - <<'P'
import h5py, numpy as np
five, third, second = (h5py.File(name + ".h5") for name in ("five", "third", "second"))
assert five["latents"].shape == (5, 4, 4, 4) and five["latents"].dtype == np.dtype("<f4")
assert list(five["labels"]) == [0, 1, 2, 0, 1] and list(second["labels"]) == [2, 2]
assert [i.decode() for i in five["meta/ids"]] == ["0", "1", "2", "3", "4"]
assert five["latents"].attrs["scaling_factor"] == 0.25
assert (five["latents"][3] == third["latents"][0]).all()
# The same noise through the same untrained network, divided by the factor of each model.
once, twice = (h5py.File(f"drawn-{name}.h5")["latents"][:] for name in ("once", "twice"))
assert np.allclose(once, 2 * twice, rtol=1e-5) and once.std() > 1
P
# What a model makes is data again.
status 0 ddpm-train -q five.h5 "${dit[@]}" --steps 1 -o again.h5
status 0 ddpm-train -q flat.h5 --embed-dim 8 --depth 1 --steps 2 -o flat-model.h5
status 0 sample -q flat-model.h5 -n 3 --sample-steps 4 -o rows.h5
status 0 model-info --tensors rows.h5
stdout_has '^kind: latents$'
stdout_has '^/latents.f32.\[3,64\]$'

# ---- packing
status 0 data-pack l.h5 half.h5 --limit 50 -o packed.h5
stderr_has '50 latents 4x4x4, 3 classes, 0 skipped'
status 0 ddpm-train -q packed.h5 "${dit[@]}" --steps 1 -o x.model
status 0 data-pack -q half.h5 -o whole.h5
status 0 ddpm-train -q half.h5 "${dit[@]}" --steps 2 -o half.model
status 0 ddpm-train -q whole.h5 "${dit[@]}" --steps 2 -o whole.model
status 0 cmp half.model whole.model
status 3 data-pack nan.h5 --on-error skip -o rest.h5
stderr_has '47 latents 4x4x4'

# ---- what cannot be meant
head -c 3000 l.h5 >cut.h5
data-pack -q --synthetic shapes --synthetic-count 20 --image-size 8 -o shapes.h5
data-pack -q --synthetic ring --synthetic-count 20 -o ring.h5
while IFS='|' read -r files text; do
  # shellcheck disable=SC2086  # words are meant
  refused "$text" ddpm-train $files "${dit[@]}" --steps 1 -o x.h5
  if [[ $files != *' '* ]]; then refused "$text" data-pack "$files" -o x.h5; fi
done <<'T'
bare.h5|bare.h5: /latents has no scaling_factor of one number: expected the factor that makes their deviation 1
zero.h5|zero.h5: /latents: scaling_factor 0: expected a finite number above 0
rank.h5|rank.h5: /latents: expected f32 or f16 [N,H,W,C] or [N,D], found f32 [4,4,4]
double.h5|double.h5: /latents: expected f32 or f16 [N,H,W,C] or [N,D], found f64 [48,4,4,4]
none.h5|none.h5: no latents found
nan.h5|nan.h5: /latents: row 5 holds nan, values must be finite
cut.h5|cut.h5: truncated: 3000 bytes of
l.h5 other.h5|other.h5: scaling_factor is '0.5', but '0.25' in l.h5
l.h5 flat.h5|flat.h5: vae is '', but 'vae@00ff' in l.h5
l.h5 --val-data other.h5|other.h5: scaling_factor is '0.5', but '0.25' in l.h5
l.h5 --val-data ring.h5|ring.h5: its vectors are 1x1x2 f32, but the latents trained on are 
T
for command in 'vae-train --steps 1' 'sample vae.h5 --reconstruct'; do
  [ -e vae.h5 ] || vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 1 -o vae.h5
  # shellcheck disable=SC2086  # words are meant
  refused 'l.h5: expected kind images, found kind latents' $command l.h5 -o x.h5
done
for options in '-o x.png' '--format png -o x.h5' '--format npy -o x.h5'; do
  # shellcheck disable=SC2086  # words are meant
  refused 'm.h5: this model makes latents, which are no pictures: expected hdf5' sample m.h5 $options
done
status 0 ddpm-train -q ring.h5 --embed-dim 8 --depth 1 --steps 1 -o points.h5
status 2 sample points.h5 --format png -o x.png
stderr_has '--format png: expected hdf5, npy, fvecs, csv or jsonl for vectors'
refused 'm.h5: this model makes latents, which are no pictures: expected hdf5' sample m.h5 -n 1 --format csv -o x.h5
refused 'm.h5: this model makes latents, which are no pictures: expected hdf5' interpolate m.h5 --seeds 1,2 --format csv --frames 2 --sample-steps 2 -o x.h5
status 0 interpolate -q m.h5 --seeds 1,2 --frames 3 --sample-steps 2 -o way.h5
status 0 interpolate -q m.h5 --from l.h5 --to l.h5 --to-index 3 --frames 3 --sample-steps 2 -o way.h5
status 0 model-info way.h5
stdout_has '^kind: latents$'
status 2 ddpm-train l.h5 --hflip --steps 1 -o x.h5
stderr_has 'l.h5: holds latents, --hflip goes with pictures'
status 2 ddpm-train l.h5 --image-size 8 --steps 1 -o x.h5
stderr_has 'l.h5: holds latents, --image-size goes with pictures'
finish
