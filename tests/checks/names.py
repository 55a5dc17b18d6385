#!/usr/bin/env python3
"""No configuration field and no long option has a banned name (tests/banned-names.txt).

names.py SOURCE_DIR BUILD_DIR
"""
import re
import subprocess
import sys
from pathlib import Path

source, build = Path(sys.argv[1]), Path(sys.argv[2])
banned = {}
for line in (source / "tests/banned-names.txt").read_text().splitlines():
    if line and not line.startswith("#"):
        name, instead = line.split(": ")
        banned[name] = instead
found = {}
for path in source.glob("lib/**/*.[ch]*"):
    for name in re.findall(r'\bbind\([^,;]+,\s*\{\s*(?:\.name\s*=\s*)?"([a-z0-9_]+)"', path.read_text()):
        found.setdefault(name, str(path.relative_to(source)))
fields = len(found)
for tool in sorted(source.glob("tools/*.cc")):
    text = subprocess.run([build / "bin" / tool.stem, "--help"], capture_output=True, text=True, check=True).stdout
    for head in re.findall(r"^\s+(-[^\s,=\[]+(?:,\s*-[^\s,=\[]+)*)", text, re.M):
        for name in re.findall(r"--(?:no-)?([a-z0-9-]+)", head):
            found.setdefault(name.replace("-", "_"), f"{tool.stem} --help")
faults = [f"{place}: '{name}' is banned, use {banned[name]}" for name, place in sorted(found.items()) if name in banned]
if not fields:
    faults.append("no configuration field was found: the pattern of this check is out of date")
print("\n".join(faults) if faults else f"summary: names: {len(found)} names, none banned")
sys.exit(bool(faults))
