#!/bin/bash
# data-pack: every exit status, pipes, equal bytes, and the examples of its page.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"

status 0 data-pack --synthetic shapes --synthetic-count 50 -o shapes.h5
stderr_has '50 pictures 32x32x3, 3 classes, 0 skipped'
stdout_is ''
status 0 data-pack --synthetic shapes --synthetic-count 50 -o again.h5
status 0 cmp shapes.h5 again.h5
status 0 data-pack -q -j 1 --synthetic shapes --synthetic-count 50 -o again.h5
status 0 test ! -s stderr
status 0 cmp shapes.h5 again.h5
status 0 data-pack -j 3 --synthetic shapes --synthetic-count 50 --synthetic-seed 1 -o other.h5
status 1 cmp -s shapes.h5 other.h5

status 0 data-pack --image-size 16 --image-channels 1 shapes.h5 -o small.h5
stderr_has '50 pictures 16x16x1, 3 classes, 0 skipped'
status 0 data-pack --image-height 16 --image-width 24 shapes.h5 -o wide.h5
stderr_has '50 pictures 16x24x3'
status 0 data-pack shapes.h5 small.h5 --image-size 32 --image-channels 3 -o both.h5
stderr_has '100 pictures 32x32x3'

# Pipes: HDF5, one and several; pictures; tar. (Not `x | status`: its counts would be lost.)
data-pack --synthetic shapes --synthetic-count 50 -o - 2>/dev/null >piped.h5
status 0 cmp shapes.h5 piped.h5
data-pack -q --synthetic shapes --synthetic-count 50 -o - | data-pack -q --limit 10 - -o few.h5
data-pack -q --limit 10 shapes.h5 -o ten.h5
status 0 data-pack few.h5 -o few2.h5
stderr_has '10 pictures 32x32x3'
status 0 cmp few.h5 ten.h5
status 0 data-pack - -o double.h5 < <(cat shapes.h5 shapes.h5)
stderr_has '100 pictures 32x32x3, 3 classes'
cat shapes.h5 shapes.h5 >back-to-back.h5
status 0 data-pack back-to-back.h5 -o double2.h5
stderr_has '100 pictures 32x32x3, 3 classes'
status 0 cmp double.h5 double2.h5
status 1 model-info back-to-back.h5
stderr_has "back-to-back.h5: expected one HDF5 file, found $(stat -c %s shapes.h5) bytes behind its end"
status 0 data-pack - -o redirected.h5 <shapes.h5
status 0 data-pack shapes.h5 -o repacked.h5
status 0 cmp redirected.h5 repacked.h5

status 1 data-pack few.h5 --labels <(seq 0 9) -o pipe.h5
stderr_has 'expected a file of labels, found a pipe'

ppm() { printf 'P6\n4 4\n255\n'; printf "$1%.0s" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; }
status 0 data-pack - -o frames.h5 < <(ppm abc; ppm xyz; ppm 123)
stderr_has '3 pictures 4x4x3, 0 classes'
mkdir -p set/cat set/dog
ppm abc >set/cat/1.ppm
ppm xyz >set/cat/2.ppm
ppm 123 >set/dog/1.ppm
printf 'filepath\ttitle\ncat/1.ppm\tone\ncat/2.ppm\ttwo\ndog/1.ppm\tthree\n' >set/captions.tsv
status 0 data-pack set -o set.h5
stderr_has '3 pictures 4x4x3, 2 classes'
tar -C set --sort=name -cf set.tar .
status 0 data-pack set.tar -o tar.h5
status 0 cmp set.h5 tar.h5
status 0 data-pack - -o tar.h5 < <(gzip -c set.tar)
status 0 cmp set.h5 tar.h5
status 0 data-pack set/cat/1.ppm set/cat/2.ppm -o two.h5
stderr_has '2 pictures'

# Operands that are pipes are read by one descriptor, whatever comes through them.
status 0 data-pack <(cat set/cat/1.ppm set/cat/2.ppm) -o piped2.h5
stderr_has '2 pictures 4x4x3'
status 0 data-pack - -o stdin2.h5 < <(cat set/cat/1.ppm set/cat/2.ppm)
status 0 cmp piped2.h5 stdin2.h5
status 0 data-pack <(cat set.tar) -o tar.h5
status 0 cmp set.h5 tar.h5
status 0 data-pack <(cat shapes.h5) -o piped2.h5
status 0 cmp repacked.h5 piped2.h5
mkfifo pipe
cat shapes.h5 >pipe &
status 0 data-pack pipe -o piped2.h5
status 0 cmp repacked.h5 piped2.h5
printf '\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\2abcdefgh' >x-images.idx
status 0 data-pack x-images.idx -o idx.h5
stderr_has '2 pictures 2x2x1'
gzip -k x-images.idx
for form in idx idx.gz; do
  status 0 data-pack - -o idx2.h5 < <(cat "x-images.$form")
  status 0 cmp idx.h5 idx2.h5
  status 0 data-pack <(cat "x-images.$form") -o idx2.h5
  status 0 cmp idx.h5 idx2.h5
done

# More files than may be open at once.
mkdir many
for i in {100..199}; do ppm abc >"many/$i.ppm"; done
status 0 bash -c 'ulimit -n 40 && data-pack many/*.ppm -o many.h5'
stderr_has '100 pictures 4x4x3'
for i in 0 1; do cp set.tar sh-$i.tar; done
status 0 data-pack 'sh-{0..1}.tar' -o shards.h5
stderr_has '6 pictures 4x4x3, 2 classes'

# Rows that no picture asks for are counted once, not when the limit hides the rest.
cp -r set rows
printf 'cat/3.ppm\t"a ""red""\nball"\ndog/0.ppm\tnone\n' >>rows/captions.tsv
status 0 data-pack rows -o rows.h5
stderr_has 'rows: 2 rows of captions.tsv have no picture here, such as cat/3.ppm'
[ "$(grep -c 'no picture here' stderr)" = 1 ] || fault 'expected one warning'
tar -C rows --sort=name -cf rows.tar .
status 0 data-pack rows.tar -o rows2.h5
stderr_has 'rows.tar: 2 rows of captions.tsv have no picture here, such as cat/3.ppm'
status 0 cmp rows.h5 rows2.h5
status 0 cmp rows.h5 set.h5
status 0 data-pack rows --limit 1 -o rows.h5
status 1 grep -q 'no picture here' stderr

# What h5py users have: channels first, floats in another range, booleans.
if python3 -c 'import h5py' 2>/dev/null; then
  python3 - <<'P'
import h5py, numpy as np
for name, data in (("first", np.zeros((20, 3, 8, 8), "u1")), ("signs", np.linspace(-1, 1, 48)),
                   ("bools", np.arange(48) % 3 == 0)):
    with h5py.File(name + ".h5", "w") as out:
        out["images"] = data if data.ndim > 1 else data.reshape(3, 4, 4)
for name, kind in (("huge", "u1"), ("huge-floats", "f4")):
    with h5py.File(name + ".h5", "w") as out:
        out.create_dataset("images", (10**9, 64, 64, 3), kind, chunks=(16, 64, 64, 3))[7] = 1
P
  status 0 data-pack first.h5 -o x.h5
  stderr_has 'first.h5: /images looks like channels first; [N,H,W,C] is expected'
  rm x.h5
  for name in huge huge-floats; do
    status 1 timeout 60 vae-train $name.h5 --steps 1 -o x.h5
    stderr_has "$name.h5: "
    stderr_has '1000000000 pictures take '
    stderr_has ' are available: data-pack it first'
  done
  status 0 data-pack huge.h5 --limit 10 -o few.h5
  status 1 data-pack signs.h5 -o x.h5
  stderr_has 'signs.h5: /images holds values from -1 to 1, expected 0 to 1; --value-range LOW,HIGH'
  status 2 data-pack signs.h5 --value-range 1,-1 -o x.h5
  stderr_has "--value-range '1,-1': expected LOW,HIGH"
  status 0 data-pack signs.h5 --value-range -1,1 -o floats.h5
  status 0 data-pack bools.h5 -o bools-packed.h5
  python3 - <<'P' || fault 'other values than expected'
import h5py, numpy as np
floats, bools = h5py.File("floats.h5")["images"], h5py.File("bools-packed.h5")["images"]
assert floats.dtype == "f4" and np.allclose(floats[:].ravel(), np.linspace(0, 1, 48), atol=1e-7)
assert bools.dtype == "u1" and (bools[:].ravel() == 255 * (np.arange(48) % 3 == 0)).all()
P
else
  echo 'skipped: python3-h5py is not installed'
fi

# ---- points: what they are, equal bytes, pipes, and what cannot be meant
toy=(data-pack --synthetic ring --synthetic-radius 1 --synthetic-std 0.1)
status 0 "${toy[@]}" --synthetic-count 500 -o ring.h5
stderr_has '500 vectors of 2, 8 classes, 0 skipped'
status 0 model-info --check --tensors ring.h5
for line in 'kind: vectors' 'config.synthetic: ring' 'config.synthetic_modes: 8' \
  'config.synthetic_radius: 1' 'config.synthetic_std: 0.1' 'config.synthetic_seed: 0' \
  'config.synthetic_count: 500' '/vectors.f32.\[500,2\]' '/labels.i32.\[500\]'; do
  stdout_has "^$line\$"
done
status 0 "${toy[@]}" --synthetic-count 500 -j 3 -o again.h5
status 0 cmp ring.h5 again.h5
status 0 bash -c "${toy[*]} --synthetic-count 900 --limit 500 -o - >again.h5"
status 0 cmp ring.h5 again.h5
status 0 "${toy[@]}" --synthetic-count 500 --synthetic-seed 1 -o again.h5
status 1 cmp -s ring.h5 again.h5
for name in grid swiss-roll gaussians; do
  status 0 data-pack --synthetic $name --synthetic-count 1 -o toy.h5
  stderr_has '1 vector of 2, '
done
if python3 -c 'import h5py' 2>/dev/null; then
  python3 - <<'P' || fault 'other points than expected'
import h5py, numpy as np
file = h5py.File("ring.h5")
angle = 2 * np.pi * file["labels"][:] / 8
off = file["vectors"][:] - np.stack([np.cos(angle), np.sin(angle)], 1)
assert 0.09 < off.std() < 0.11 and abs(off.mean()) < 0.02  # 1000 numbers of deviation 0.1
P
fi
status 1 data-pack ring.h5 -o x.h5
stderr_has 'ring.h5: expected kind images, found kind vectors'
while IFS='|' read -r words message; do
  # shellcheck disable=SC2086  # words are meant
  status 2 data-pack $words -o x.h5
  stderr_has "$message"
  status 0 test ! -e x.h5
done <<'T'
--synthetic ring --on-error skip|--on-error: --synthetic draws and reads nothing
--synthetic ring --data-format idx|--data-format idx and --synthetic exclude each other
--synthetic rings|--synthetic 'rings': expected noise, shapes, ring, grid, swiss-roll or gaussians
--synthetic grid --synthetic-modes 24|--synthetic-modes 24: a grid has a square number
--synthetic swiss-roll --synthetic-modes 3|--synthetic-modes: swiss-roll has none
--synthetic ring --image-size 8|--synthetic ring: holds vectors, --image-size goes with pictures
--synthetic ring --synthetic-std -1|--synthetic-std '-1': expected a number
--synthetic shapes --synthetic-radius 2|--synthetic-radius goes with --synthetic ring
shapes.h5 --synthetic-std 2|--synthetic-std goes with --synthetic ring
ring.h5 --synthetic grid|'ring.h5': --synthetic draws points and reads none
T

# What the files hold, as the tools of HDF5 see it.
if command -v h5ls >/dev/null; then
  status 0 h5ls -r set.h5
  grep -q '/images  *Dataset {3, 4, 4, 3}' stdout || fault 'no /images of the right shape'
  grep -q '/captions/offsets  *Dataset {4}' stdout || fault 'no /captions/offsets'
else
  echo 'skipped: h5ls is not installed'
fi

# Status 3: skipped; 1: failed; 2: misuse. What fails leaves the old file.
echo junk >set/dog/2.png
status 3 data-pack --on-error skip set -o skip.h5
stderr_has 'set/dog/2.png: '
stderr_has '3 pictures 4x4x3, 2 classes, 1 skipped'
cp set.h5 old.h5
status 1 data-pack set -o set.h5
stderr_has 'set/dog/2.png: '
status 0 cmp old.h5 set.h5
status 1 data-pack absent -o x.h5
stderr_has 'absent: cannot open: No such file or directory'
mkdir empty
status 1 data-pack empty -o x.h5
stderr_has 'empty: no pictures found'
status 1 data-pack shapes.h5 small.h5 -o x.h5
stderr_has 'give --image-size'
status 1 data-pack set/cat -o no/such/x.h5
status 1 data-pack - -o x.h5 < <(:)
stderr_has 'standard input: is empty'
status 1 data-pack - -o x.h5 < <(head -c 3000 shapes.h5)
status 0 test ! -e x.h5
status 2 data-pack
status 2 data-pack shapes.h5
stderr_has '--output'
status 2 data-pack -o x.h5
status 2 data-pack --crop left shapes.h5 -o x.h5
status 2 data-pack --no-such-option shapes.h5 -o x.h5
status 2 data-pack --background mauve shapes.h5 -o x.h5
status 2 data-pack --synthetic shapes shapes.h5 -o x.h5
status 2 data-pack - - -o x.h5
status 2 data-pack --image-size 4 --image-height 8 shapes.h5 -o x.h5
stderr_has '--image-size goes without --image-height and --image-width'
for flag in count seed; do
  status 2 data-pack --synthetic-$flag 4 shapes.h5 -o x.h5
  stderr_has "--synthetic-$flag goes with --synthetic"
done
status 0 test ! -e x.h5
if [ -w /dev/full ]; then
  status 1 bash -c 'data-pack -q --synthetic noise -o - >/dev/full'
fi

status 0 data-pack --help
status 0 data-pack --version
grep -q '^data-pack (atelier) ' stdout || fault 'another version line'

# ---- what is read is never replaced
mkdir own && data-pack -q --synthetic shapes --synthetic-count 3 --image-size 8 -o own.h5
cp own.h5 own/set.h5 && cp own.h5 before.h5
status 2 data-pack own.h5 --image-size 4 -o own.h5
stderr_has 'would replace what is read'
status 2 data-pack own -o own/set.h5
stderr_has 'would replace a file of own'
printf '1\n0\n' >l2.txt
status 2 data-pack x-images.idx --labels l2.txt -o l2.txt
stderr_has 'l2.txt: would replace what is read'
printf '\0\0\10\1\0\0\0\2\1\0' >x-labels.idx
status 2 data-pack x-images.idx -o x-labels.idx
status 2 data-pack set -o set/captions.tsv
status 2 data-pack 'sh-{0..1}.tar' -o sh-1.tar
status 0 cmp sh-1.tar sh-0.tar
ln -s own.h5 link.h5
status 2 data-pack link.h5 --image-size 4 -o own.h5
status 0 cmp own.h5 before.h5
status 0 cmp own/set.h5 before.h5
finish
