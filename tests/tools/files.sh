#!/bin/bash
# Files between programs: what we write others read, what others write trains, the manual page
# tells all of it, and bad files and pictures end in one line, with the old output as it was.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
page=$(cd "$OLDPWD" && readlink -f "$(dirname "$0")/../../man/atelier-hdf5.5")
small=(--net fc --hidden-dim 8 --latent-dim 2)
python() { /usr/bin/python3 "$@"; }

# ---- a file of each kind, with everything that may be in it
mkdir -p set/cat set/dog
grey() { printf 'P5\n4 4\n255\n%s' "$1"; }
grey 0123456789abcdef >set/cat/1.pgm
grey fedcba9876543210 >set/dog/2.pgm
printf 'filepath\ttitle\ncat/1.pgm\tdigits up\n' >set/captions.tsv
status 0 data-pack -q set -o set.h5
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o shapes.h5
status 0 vae-train -q shapes.h5 "${small[@]}" --steps 4 --batch-size 8 --ema-decay 0.9,0.99 \
  --val-split 0.2 --val-every 2 --run-dir run -o vae.h5
status 0 sample vae.h5 -n 4 -o samples.h5
status 0 model-eval shapes.h5 --features pca:3 --save-stats stats.h5
files=(set.h5 shapes.h5 samples.h5 stats.h5 vae.h5 run/step-00000004.h5 run/best.h5)
status 0 data-pack -q --synthetic gaussians --synthetic-count 9 -o toy.h5
status 0 data-pack -q --synthetic swiss-roll --synthetic-count 9 -o roll.h5
status 0 img2vec -q -m vae.h5 shapes.h5 --limit 7 -o vectors.h5
status 0 img2vec -q -m vae.h5 shapes.h5 --limit 7 --dtype f16 --normalize -o f16.h5
status 0 interpolate vae.h5 --vectors vectors.h5 --frames 5 -o way.h5
files+=(vectors.h5 f16.h5 way.h5 toy.h5 roll.h5)
status 0 model-info --tensors vectors.h5
stdout_has '^/vectors.f32.\[7,2\]$'
stdout_has '^/meta/ids.text.\[7\]$'
stdout_has '^inputs.model: [0-9a-f]{16}$'
refused 'vectors.h5: expected kind checkpoint, found kind vectors' sample vectors.h5 -o x.h5
for command in data-pack "vae-train --steps 1 ${small[*]}" 'clip-train --steps 1' \
  'clip-train --steps 1 --targets labels' "img2vec -m vae.h5" 'sample vae.h5 --reconstruct'; do
  # shellcheck disable=SC2086  # words are meant
  refused 'vectors.h5: expected kind images, found kind vectors' $command vectors.h5 -o x.h5
done
refused 'vectors.h5: expected kind images, found kind vectors' model-eval vectors.h5 --baselines
status 0 model-info --check "${files[@]}"

# ---- h5ls, h5dump and h5py read all of it
if command -v h5ls >/dev/null; then
  for file in "${files[@]}"; do
    model-info --tensors "$file" | grep '^/' | cut -f1 | sort >ours
    status 0 bash -c "h5ls -r $file | sed -n 's/  *Dataset {.*//p' | sort >theirs"
    status 0 cmp ours theirs
    status 0 h5dump "$file"
    checks=$((checks + 1))
    ! grep -q 'h5dump error\|[Uu]nable to' stdout stderr || fault 'h5dump complains'
    status 0 h5diff "$file" "$file"
  done
else
  echo 'skipped: h5ls and h5dump reading our files: hdf5-tools is not installed'
fi

h5py=
if python -c 'import h5py' 2>/dev/null; then
  h5py=1
else
  echo 'skipped: h5py reading our files and writing for us: python3-h5py is not installed'
fi
cat >read.py <<'P'
# Reads everything; the form must be that of the manual page. Prints what it is called.
import sys
import h5py
for name in sys.argv[1:]:
    with h5py.File(name, "r") as file:
        kind = file.attrs["kind"].decode()
        assert file.attrs["format"] == b"atelier" and list(file.attrs["format_version"]) == [1, 0]
        def look(path, thing):
            for key, value in thing.attrs.items():
                type_ = thing.attrs.get_id(key).get_type()
                assert not (isinstance(type_, h5py.h5t.TypeStringID) and type_.is_variable_str()), key
                assert thing.attrs.get_id(key).shape == () or key == "format_version", key
                print(kind, "attribute", "/" + path.lstrip("/"), key)
            if isinstance(thing, h5py.Dataset):
                values = thing[()]
                assert values.shape == thing.shape and thing.chunks is None and not thing.compression
                assert thing.dtype.byteorder in "<|=", thing.dtype
                assert len(thing.attrs["xxh3"]) == 16
                print(kind, "dataset", "/" + path, thing.dtype.str.lstrip("<|="))
        look("/", file)
        file.visititems(look)
P
if [ -n "$h5py" ]; then
  status 0 python read.py "${files[@]}"
  cp stdout names
  status 0 test "$(grep -c ' dataset ' names)" -ge 60

  # ---- the page has every one of these names; fields are explained where their flags are
  cat >look-up.py <<'P'
import re, sys
page, manuals = open(sys.argv[1]).read(), sys.argv[2:]
sections = dict(re.findall(r"^\.Ss (\w+)\n(.*?)(?=^\.S[sh] |\Z)", page, re.M | re.S))
common = re.search(r"^\.Ss All kinds\n(.*?)(?=^\.Ss )", page, re.M | re.S).group(1)
flags = set(re.findall(r"Fl -([a-z0-9-]+)", "".join(open(m).read() for m in manuals).replace(r"\-", "-")))
words = lambda text: set(re.findall(r"[\w/<>.]+", text))
missing = set()
for line in open("names"):
    kind, what, path, name = line.split()
    known = words(sections[kind]) | words(common)
    tensor = re.sub(r"^(/model|/ema\d+|/optimizer/\w+)/.+", r"\1/<name>", path)
    if what == "dataset":
        if tensor not in known or name.strip("SU0123456789") not in "ifu":
            missing.add(f"{kind}: {path} {name}")
    elif name in words(sections[kind]) or name in words(common):
        continue
    elif path not in ("/config", "/training") or not {name.replace("_", "-"), "no-" + name.replace("_", "-")} & flags:
        missing.add(f"{kind}: {path} attribute {name}")
print("\n".join(sorted(missing)))
print(f"summary: page: {sum(1 for _ in open('names'))} names of files, {len(missing)} missing from the page")
sys.exit(bool(missing))
P
  status 0 python look-up.py "$page" "${page%/*}/"{data-pack,img2vec,vae-train}.1
  cat stdout

  # ---- what h5py writes trains, and to the same model whatever its form
  cat >write.py <<'P'
import h5py
import numpy as np
random = np.random.default_rng(3)
u8 = (random.random((21, 8, 6, 3)) * 255).astype("u1")
f4 = random.random((21, 8, 6, 3)).astype("f4")
labels = np.arange(21) % 4
def write(name, data, path="images", file={}, **layout):
    with h5py.File(name, "w", **file) as out:
        out.create_dataset(path, data=data, **layout)
        out.create_dataset("classes", data=labels.astype(">i8"))
        out["note"] = "a text of variable length"
        out["images_of"] = h5py.SoftLink("/" + path)
write("plain.h5", u8)
write("named.h5", u8, "deep/er/pictures", chunks=(4, 8, 6, 3), compression="gzip")
write("latest.h5", u8, file={"libver": "latest"}, chunks=(2, 3, 6, 3), compression="gzip",
      shuffle=True, fletcher32=True, maxshape=(None, 8, 6, 3))
write("wide.h5", u8.astype(">i2"), chunks=True)
write("floats.h5", f4)
write("halves.h5", f4.astype("f2"), chunks=(5, 8, 6, 3), compression="gzip")
write("deflated.h5", f4, chunks=(5, 8, 6, 3), compression="gzip")
write("grey.h5", u8[..., 0])
write("seven.h5", np.concatenate([u8, u8, u8[..., :1]], -1), chunks=True)
write("lzf.h5", u8, chunks=True, compression="lzf")
write("block.h5", u8, file={"userblock_size": 1024})
write("double.h5", f4.astype("f8"))
write("large.h5", u8.astype("i4") + 256)
write("flat.h5", u8.reshape(21, -1))
write("none.h5", u8[:0])
for name, value in ("nan", np.nan), ("inf", np.inf):
    bad = f4.copy()
    bad[7, 2, 3, 1] = value
    write(name + ".h5", bad)
    write(name + "-deflated.h5", bad, chunks=True, compression="gzip")
with h5py.File("labels.h5", "w") as out:
    out["images"], out["labels"] = u8, labels[:-1]
with h5py.File("linked.h5", "w") as out:
    out["images"] = h5py.ExternalLink("plain.h5", "/images")
with h5py.File("virtual.h5", "w") as out:
    layout = h5py.VirtualLayout((21, 8, 6, 3), "u1")
    layout[:] = h5py.VirtualSource("plain.h5", "images", (21, 8, 6, 3))
    out.create_virtual_dataset("images", layout)
with h5py.File("outside.h5", "w") as out:
    out.create_dataset("images", (21, 8, 6, 3), "u1", external="shapes.h5")
P
  status 0 python write.py
  train() { status 0 vae-train -q "$@" "${small[@]}" --steps 3; }
  train plain.h5 -o plain.model
  train named.h5 --dataset deep/er/pictures -o named.model
  train latest.h5 -o latest.model
  train wide.h5 -o wide.model
  for form in named latest wide; do status 0 cmp plain.model $form.model; done
  train floats.h5 -o floats.model
  train deflated.h5 -o deflated.model
  train halves.h5 -o halves.model
  status 0 cmp floats.model deflated.model
  status 1 cmp -s plain.model floats.model
  for form in grey seven; do train $form.h5 -o $form.model; done
  train plain.h5 --label-dataset classes -o labelled.model
  status 0 data-pack latest.h5 --label-dataset classes -o packed.h5
  stderr_has '21 pictures 8x6x3, 4 classes, 0 skipped'
  train packed.h5 -o packed.model
  status 0 h5diff -q packed.model plain.model /model

  foreign() {  # TEXT FILE OPTION...: by both tools that read pictures
    refused "$1" vae-train "${@:2}" "${small[@]}" --steps 3 -o x.h5
    refused "$1" data-pack "${@:2}" -o x.h5
  }
  foreign 'named.h5: has no dataset /images; --dataset names another' named.h5
  foreign 'plain.h5: has no dataset /pictures' plain.h5 --dataset pictures
  foreign 'plain.h5: has no dataset /kinds' plain.h5 --label-dataset kinds
  foreign 'lzf.h5: /images: filter 32000 (lzf) is not supported' lzf.h5
  foreign 'block.h5: is HDF5 behind a user block of 1024 bytes, which is not read' block.h5
  foreign 'block.h5: expected an HDF5 file, found one behind a user block' block.h5 --data-format hdf5
  train double.h5 -o double.model
  status 0 cmp double.model floats.model
  foreign 'large.h5: /images is i32 and holds ' large.h5
  foreign 'flat.h5: /images: expected [N,H,W] or [N,H,W,C], found [21,144]' flat.h5
  foreign 'none.h5: no pictures found' none.h5
  foreign 'labels.h5: /labels has 20 entries, but /images has 21 pictures' labels.h5
  foreign 'virtual.h5: /images: it is a virtual dataset, which is not followed' virtual.h5
  foreign 'outside.h5: /images: its data lie in another file, which is not followed' outside.h5
  foreign 'linked.h5: /images: it is a link, which is not followed' linked.h5
  for bad in nan inf nan-deflated inf-deflated; do
    status 3 data-pack "$bad.h5" --on-error skip -o rest.h5
    stderr_has "$bad.h5/index 7: holds ${bad%-deflated}, values must be finite (skipped)"
    stderr_has ', 1 skipped'
    status 3 vae-train -q "$bad.h5" "${small[@]}" --steps 3 --on-error skip -o rest.model
    refused "$bad.h5: /images: picture 7 holds ${bad%-deflated}, values must be finite" \
      vae-train "$bad.h5" "${small[@]}" --steps 3 -o x.h5
  done

  # ---- a version from the future
  python - <<'P'
import h5py, shutil
for source, name, version in ("vae.h5", "newer.h5", [2, 0]), ("shapes.h5", "newer-images.h5", [2, 0]), ("vae.h5", "minor.h5", [1, 7]):
    shutil.copy(source, name)
    with h5py.File(name, "r+") as file:
        file.attrs.modify("format_version", version)
P
  refused 'newer.h5: file format 2.0, but this version reads 1.x' sample newer.h5 -o x.h5
  refused 'newer.h5: file format 2.0, but this version reads 1.x' model-info newer.h5
  foreign 'newer-images.h5: file format 2.0, but this version reads 1.x' newer-images.h5
  status 0 sample minor.h5 -n 1 -o y.h5
  stderr_has 'minor.h5: file format 1.7 is newer than 1.0; what is unknown is ignored'
fi

# ---- files that are missing, empty, closed, cut, of another kind; each tool that reads HDF5
: >empty.h5
echo 'a text that is longer than a signature' >text.h5
head -c 3000 vae.h5 >cut.h5
head -c 3000 shapes.h5 >cut-images.h5
head -c 40 vae.h5 >stub.h5
model() {  # TEXT FILE
  refused "$1" sample "$2" -o x.h5
  refused "$1" model-info "$2"
  refused "$1" vae-train shapes.h5 "${small[@]}" --steps 3 --init "$2" -o x.h5
}
pictures() {  # TEXT FILE
  refused "$1" vae-train "$2" "${small[@]}" --steps 3 -o x.h5
  refused "$1" data-pack "$2" -o x.h5
  refused "$1" sample vae.h5 --reconstruct "$2" -o x.h5
}
model 'missing.h5: cannot open: No such file or directory' missing.h5
model 'empty.h5: the file is empty' empty.h5
model 'text.h5: expected an HDF5 file, found text' text.h5
model "cut.h5: truncated: 3000 bytes of $(stat -c %s vae.h5)" cut.h5
model 'stub.h5: truncated' stub.h5
model 'set: cannot read: Is a directory' set
refused 'shapes.h5: expected kind checkpoint, found kind images' sample shapes.h5 -o x.h5
pictures 'missing.h5: cannot open: No such file or directory' missing.h5
pictures 'empty.h5: is empty' empty.h5
pictures 'text.h5: expected a folder, a tar, idx or HDF5 file or pictures' text.h5
pictures "cut-images.h5: truncated: 3000 bytes of $(stat -c %s shapes.h5)" cut-images.h5
pictures 'vae.h5: expected kind images, found kind checkpoint' vae.h5
if [ "$(id -u)" = 0 ] && setpriv --reuid=nobody --regid=nogroup --clear-groups "$1/sample" --version >/dev/null 2>&1; then
  # shellcheck disable=SC2317  # called by status
  as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
  chmod 755 .
  mkdir closed && echo 'the old file' >closed/x.h5 && chmod 555 closed
  cp vae.h5 secret.h5 && chmod 000 secret.h5
  status 1 as_nobody sample secret.h5 --format png -o /dev/null
  stderr_has 'sample: secret.h5: cannot open: Permission denied'
  for command in 'data-pack set' 'sample vae.h5' 'vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3'; do
    # shellcheck disable=SC2086  # words are meant
    status 1 as_nobody $command -o closed/x.h5
    stderr_has 'closed/x.h5: cannot write: Permission denied'
  done
  status 0 grep -qx 'the old file' closed/x.h5
elif [ "$(id -u)" != 0 ]; then
  mkdir closed && chmod 555 closed
  refused 'closed/x.h5: cannot write: Permission denied' sample vae.h5 -o closed/x.h5
  cp vae.h5 secret.h5 && chmod 000 secret.h5
  model 'secret.h5: cannot open: Permission denied' secret.h5
else
  echo 'skipped: closed files and directories: no other user can run the tools here'
fi

# ---- any byte flipped in a tensor or in pictures: found by whoever uses them, or no difference
flip() {  # FILE AT
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  cp "$1" flipped.h5
  printf '%b' "\\x$(printf %x $((byte ^ 32)))" | dd of=flipped.h5 bs=1 seek="$2" conv=notrunc 2>/dev/null
}
found=0 same=0
for file in vae.h5 shapes.h5 samples.h5; do
  size=$(stat -c %s $file)
  for at in $(seq 9 $((size / 13 + 1)) "$size"); do
    flip $file "$at"
    if ! model-info --check flipped.h5 >stdout 2>stderr; then
      found=$((found + 1))
      last="flip at $at of $file"
      stderr_has 'model-info: flipped.h5: '
    elif ! command -v h5diff >/dev/null || h5diff -q flipped.h5 $file; then
      same=$((same + 1))
    else
      last="flip at $at of $file" && fault 'not found, and h5diff sees it'
    fi
  done
done
echo "summary: flips: $found found, $same without a difference to h5diff"
status 0 test $found -ge 20
flip shapes.h5 5000
pictures 'flipped.h5: /images is damaged (its checksum differs)' flipped.h5
flip vae.h5 $(($(stat -c %s vae.h5) - 200))
refused 'flipped.h5: ' sample flipped.h5 -o x.h5
refused 'flipped.h5: ' vae-train shapes.h5 "${small[@]}" --steps 3 --init flipped.h5 -o x.h5

# ---- pictures that are broken, cut, disguised, oversized
cat >pictures.py <<'P'
import struct, zlib
def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
def png(width, height, rows):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
good = png(8, 8, (b"\0" + bytes(range(8))) * 8)
jpeg = bytes.fromhex(open("jpeg.hex").read())
torn = jpeg[:-6] + jpeg[-2:]
bmp = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + 192, 0, 0, 54, 40, 8, 8, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(192)
for name, data in {
    "crc.png": good[:45] + bytes([good[45] ^ 1]) + good[46:], "cut.png": good[:60], "huge.png": png(30000, 30000, b"\0"),
    "cut.jpg": jpeg[:-30], "torn.jpg": torn, "cut.bmp": bmp[:100], "rle.bmp": bmp[:30] + b"\x09" + bmp[31:],
    "tiff.png": b"II*\0" + bytes(100), "text.jpg": b"no picture at all\n", "empty.png": b"",
    "wide.ppm": b"P6\n20000 1\n255\n", "short.ppm": b"P6\n2 2\n255\nabc",
}.items():
    open("bad/" + name, "wb").write(data)
open("jpeg.png", "wb").write(jpeg)
open("png.bmp", "wb").write(good)
P
cat >jpeg.hex <<'P'
ffd8ffe000104a46494600010100000100010000ffdb00430001010101010101010101010101010101010101010101010101
010101010101010101010101010101010101010101010101010101010101010101010101010101ffc0000b08001000180101
1100ffc400150001010000000000000000000000000000090bffc40014100100000000000000000000000000000000ffda00
08010100003f009ff9e03c0780a01187ffd9
P
mkdir bad one
if python pictures.py 2>stderr; then
  while IFS=: read -r name text; do
    rm -f one/* && cp "bad/$name" one/
    refused "$text" data-pack one -o x.h5
    stderr_has "one/$name: "
    if [ "$name" != wide.ppm ] && [ "$name" != empty.png ]; then
      status 1 vae-train one "${small[@]}" --steps 3 -o y.h5
      stderr_has "vae-train: one/$name: $text"
    fi
  done <<'P'
crc.png:broken PNG picture: 
cut.png:broken PNG picture: truncated
huge.png:oversized picture: 30000x30000, at most 
cut.jpg:truncated JPEG picture: no end marker
torn.jpg:broken picture: Corrupt JPEG data: 
cut.bmp:truncated BMP picture
rle.bmp:broken picture: 
tiff.png:not a picture that is read (PNG, JPEG, WebP, BMP, PNM)
text.jpg:not a picture that is read (PNG, JPEG, WebP, BMP, PNM)
empty.png:the file is empty
wide.ppm:oversized picture: 20000x1, at most 
short.ppm:truncated PNM picture
P
  cp set/cat/1.pgm bad/good.pgm
  status 3 data-pack --on-error skip bad -o rest.h5
  stderr_has '1 picture 4x4x1, 0 classes, 12 skipped'
  status 0 test "$(grep -c '(skipped)$' stderr)" = 12
  # Named as another format: the bytes count.
  status 0 data-pack -q jpeg.png png.bmp --image-size 8 -o named.h5
  status 0 data-pack -q jpeg.png -o jpeg.h5
fi
printf '1\n2\n3\n' >three.txt
refused 'three.txt: has 3 labels, but set has 2 pictures' data-pack set --labels three.txt -o x.h5
refused 'three.txt: has 3 labels, but shapes.h5 has ' vae-train shapes.h5 --labels three.txt "${small[@]}" --steps 3 -o x.h5

# ---- shapes that differ from the checkpoint
data-pack -q --synthetic shapes --synthetic-count 9 --image-size 12 -o twelve.h5
refused "vae.h5: parameter 'encoder.hidden0.weight': expected f32[432,8], the store holds f32[192,8]" \
  vae-train twelve.h5 "${small[@]}" --steps 3 --init vae.h5 -o x.h5
refused "vae.h5: parameter 'encoder.hidden0.weight': expected f32[192,9]" vae-train shapes.h5 --net fc --hidden-dim 9 --latent-dim 2 --steps 3 --init vae.h5 -o x.h5

# ---- disks that are full
limited() { (ulimit -f "$1" && shift && "$@"); }
for blocks in 0 1 2; do
  for command in 'data-pack shapes.h5 --image-size 32' 'sample vae.h5 -n 64' 'vae-train -q shapes.h5 --net fc --hidden-dim 8 --latent-dim 2 --steps 3'; do
    echo 'the old file' >full.h5
    # shellcheck disable=SC2086  # words are meant
    limited $blocks $command -o full.h5 2>&1 >/dev/null | cat >stderr
    last="limited $blocks $command"
    stderr_has 'cannot write: File too large'
    status 0 test "$(wc -l <stderr)" = 1
    status 0 grep -qx 'the old file' full.h5
    status 0 test -z "$(find . -name '.full.h5.*')"
  done
done
for command in 'data-pack set -q' 'sample vae.h5 -n 4' 'sample vae.h5 -n 4 --format tar' 'sample vae.h5 -n 4 --format ppm' 'sample vae.h5 -n 4 --format hdf5' 'model-info vae.h5'; do
  case $command in data-pack*) command="$command -o -" ;; esac
  status 1 bash -c "$command >/dev/full"
  stderr_has "${command%% *}: standard output: cannot write: No space left on device"
  status 0 test "$(wc -l <stderr)" = 1
done
cat >tiny-disk.sh <<'P'
mount -t tmpfs -o size=16k tmpfs disk || exit 77
echo 'the old file' >disk/x.h5
data-pack -q --synthetic noise --synthetic-count 100 -o disk/x.h5
[ $? = 1 ] && [ "$(ls -A disk)" = x.h5 ] && grep -qx 'the old file' disk/x.h5
P
mkdir disk
got=0
unshare -m bash tiny-disk.sh >stdout 2>disk.err || got=$?
last='a disk of 16 KiB'
if [ $got = 77 ] || ! unshare -m true 2>/dev/null; then
  echo 'skipped: a full disk of its own: mounting is not allowed here'
else
  status 0 test $got = 0
  status 0 grep -qx 'data-pack: disk/x.h5: cannot write: No space left on device' disk.err
fi

# ---- standard output that is a terminal, closed, or read by nobody
if command -v script >/dev/null; then
  for command in 'data-pack set -o -' 'sample vae.h5' 'vae-train shapes.h5 --net fc --steps 1 -o -'; do
    status 2 script -qec "$command" /dev/null
    stdout_has "${command%% *}: standard output is a terminal; give -o FILE"
  done
  for command in 'data-pack set' 'vae-train shapes.h5 --net fc --steps 1' 'sample vae.h5 --format png' 'sample vae.h5 --format tar'; do
    status 2 script -qec "$command -o /dev/tty" /dev/null
    stdout_has "${command%% *}: /dev/tty is a terminal; give -o FILE"
  done
else
  echo 'skipped: binary to a terminal: script(1) is not installed'
fi
status 1 bash -c 'data-pack -q set -o - >&-'
stderr_has 'data-pack: standard output: cannot write: Bad file descriptor'
status 0 bash -c 'data-pack set -o quiet.h5 >&- 2>&- <&-'
status 0 cmp quiet.h5 set.h5
status 1 bash -c 'sample - <&-'
stderr_has 'sample: standard input: cannot read: Bad file descriptor'
for command in 'data-pack -q --synthetic noise -o -' 'sample vae.h5 -n 3000 --format ppm' 'sample vae.h5 -n 3000 --format tar'; do
  status 0 bash -c "set +o pipefail; $command | head -c 10 >/dev/null"
  status 0 test ! -s stderr
done
status 1 data-pack '' -o x.h5
stderr_has "data-pack: '': cannot open: No such file or directory"
status 1 sample - -o x.h5 < <(cat vae.h5 vae.h5)
stderr_has 'standard input: expected one HDF5 image, found more behind it'
finish
