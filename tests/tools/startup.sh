#!/bin/bash
# What the tools cost before they work: CPU time of --version beside that of a bare program, the
# libraries they load, and memory that does not grow with the data.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
build=${1%/bin}

# ---- at most 1.5 times a program that is linked to libhdf5 and fmt
tools=(vae-train clip-train gan-train ddpm-train sample data-pack model-info img2vec txt2vec interpolate model-eval)
status 0 "$build/cpu_time" 60 "$build/bare" "${tools[@]/#/$1/}"
base=$(sed -n 1p stdout | cut -d' ' -f1)
while read -r time tool; do
  ratio=$(awk "BEGIN { printf \"%.2f\", $time / $base }")
  echo "summary: start-up: ${tool##*/} --version takes $time us, $ratio times a bare program's $base us"
  status 0 awk "BEGIN { exit !($ratio <= 1.5) }"
done < <(tail -n +2 stdout)

# ---- no tool loads a decoder at start, or any part of OpenCV, or a tokenizer
for tool in "${tools[@]}"; do
  status 0 bash -c "ldd '$1/$tool' >loaded"
  status 1 grep -i -e opencv -e sentencepiece loaded
  status 0 grep -q libhdf5 loaded
done

# ---- sixteen times the pictures take at most 8 MiB more memory
cat >make.py <<'P'
import os, struct, sys, zlib
folder, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
def png(seed):  # 24x16 grey
    rows = b"".join(b"\0" + bytes((seed * 7 + y * 31 + x * x) & 255 for x in range(24)) for y in range(16))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 16, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
jpeg = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb00430001010101010101010101010101010101010101010101010101"
    "010101010101010101010101010101010101010101010101010101010101010101010101010101ffc0000b08001000180101"
    "1100ffc400150001010000000000000000000000000000090bffc40014100100000000000000000000000000000000ffda00"
    "08010100003f009ff9e03c0780a01187ffd9")
for name in ("cat", "dog"):
    os.makedirs(f"{folder}/{name}")
for i in range(count):
    data = png(i) if kind == "png" else jpeg
    with open(f"{folder}/{('cat', 'dog')[i % 2]}/picture-{i:06d}.{kind}", "wb") as file:
        file.write(data)
P
# peak COMMAND...: its highest resident set, in KiB.
peak() {
  python3 - "$@" <<'P'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
P
}
# growth WHAT SMALL LARGE: of memory, at most 8 MiB.
growth() {
  local grown
  grown=$(awk "BEGIN { printf \"%.1f\", ($3 - $2) / 1024 }")
  echo "summary: memory: $1 of 16,000 takes $grown MiB more than of 1,000 ($(($2 / 1024)) MiB)"
  status 0 awk "BEGIN { exit !($grown <= 8) }"
}
data-pack -q --synthetic noise --synthetic-count 100 --image-height 16 --image-width 24 --image-channels 1 -o noise.h5
vae-train -q noise.h5 --net fc --hidden-dim 8 --latent-dim 64 --steps 1 -o vae.h5
for kind in png jpg; do
  python3 make.py few $kind 1000
  python3 make.py many $kind 16000
  small=$(peak data-pack -q few -o packed.h5) large=$(peak data-pack -q many -o packed.h5)
  growth "data-pack $kind" "$small" "$large"
  status 0 model-info --tensors packed.h5
  stdout_has '/images.*u8.*\[16000,16,24,1\]'
  if [ $kind = png ]; then
    find few many -name '*.png' | sort >names
    grep '^few/' names >few.txt
    grep '^many/' names >many.txt
    for form in h5 npy csv jsonl; do
      small=$(peak img2vec -q -m vae.h5 few -o "v.$form") large=$(peak img2vec -q -m vae.h5 many -o "v.$form")
      growth "img2vec to $form" "$small" "$large"
    done
    small=$(peak img2vec -q -m vae.h5 --files-from few.txt -o v.h5)
    large=$(peak img2vec -q -m vae.h5 --files-from many.txt -o v.h5)
    growth 'img2vec --files-from' "$small" "$large"
    data-pack -q few -o few.h5
    small=$(peak img2vec -q -m vae.h5 few.h5 -o v.h5) large=$(peak img2vec -q -m vae.h5 packed.h5 -o v.h5)
    growth 'img2vec of hdf5' "$small" "$large"
  fi
  rm -rf few many
done
finish
