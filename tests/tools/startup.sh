#!/bin/bash
# What the tools cost before they work: CPU time of --version beside that of a bare program, the
# libraries they load, and memory that does not grow with the data.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
build=${1%/bin}

# ---- at most 1.5 times a program that is linked to libhdf5 and fmt
tools=(vae-train sample data-pack model-info)
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
# peak SOURCE: the highest resident set of packing it, in KiB.
peak() {
  python3 - "$1" <<'P'
import resource, subprocess, sys
subprocess.run(["data-pack", "-q", sys.argv[1], "-o", "packed.h5"], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
P
}
for kind in png jpg; do
  python3 make.py few $kind 1000
  python3 make.py many $kind 16000
  small=$(peak few) large=$(peak many)
  growth=$(awk "BEGIN { printf \"%.1f\", ($large - $small) / 1024 }")
  echo "summary: memory: data-pack of 16,000 $kind takes $growth MiB more than of 1,000 ($((small / 1024)) MiB)"
  status 0 awk "BEGIN { exit !($growth <= 8) }"
  status 0 model-info --tensors packed.h5
  stdout_has '/images.*u8.*\[16000,16,24,1\]'
  rm -rf few many
done
finish
