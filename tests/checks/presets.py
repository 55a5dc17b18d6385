#!/usr/bin/env python3
"""What vae-train(1) says that a preset sets is what it sets; presets.py SOURCE_DIR BUILD_DIR.

A run with the flags of the page resolves to the same configuration as one with the preset.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

source, program = Path(sys.argv[1]), Path(sys.argv[2]).resolve() / "bin" / "vae-train"
page = (source / "man" / "vae-train.1").read_text()
entry = re.search(r"^\.It Fl -preset .*?^\.Bl (.*?)^\.El", page, re.M | re.S)
described = dict(re.findall(r"^\.It Cm (\S+)\n(.*?)(?=^\.It|\Z)", entry.group(1), re.M | re.S))
help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
offered = re.search(r"--preset .*?\(([^)]*)\)", help_text, re.S).group(1)
names = [name.strip() for name in offered.split(",")]


def flags(text):
    """The lines `.Fl -name`, `.Fl -name Cm value` and `.Fl -name Qq` up to the first full stop."""
    words = []
    for name, value, end in re.findall(r"^\.Fl -(\S+)((?: Cm \S+| Qq)?)( \.)?$", text, re.M):
        words.append("--" + name)
        if value:
            words.append("" if value == " Qq" else value.split()[1])
        if end:
            break
    return words


def resolved(words):
    with tempfile.TemporaryDirectory() as folder:
        data = ["--synthetic", "shapes", "--synthetic-count", "4", "--image-size", "32"]
        subprocess.run([program, *data, *words, "--steps", "0", "--run-dir", "run", "-q"], cwd=folder,
                       check=True)
        lines = (Path(folder) / "run" / "config.toml").read_text().splitlines()
        return [line for line in lines if not line.startswith("preset = ")]


faults = [f"the page describes {list(described)}, offered are {names}"] if list(described) != names else []
for name in names:
    if name in described and resolved(flags(described[name])) != resolved(["--preset", name]):
        faults.append(f"preset {name}: the flags of the page set something else")
print("\n".join(faults) if faults else f"summary: presets: {len(names)} are what the page says")
sys.exit(bool(faults))
