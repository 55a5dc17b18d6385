#!/usr/bin/env python3
"""What the pages of trainers say that a preset sets is what it sets; presets.py SOURCE_DIR BUILD_DIR.

The flags of the page resolve to the same configuration as the preset.
"""
import re
import subprocess
import sys
from pathlib import Path

source, programs = Path(sys.argv[1]), Path(sys.argv[2]).resolve() / "bin"
faults, checked = [], 0


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


def resolved(program, words):
    told = subprocess.run([program, *words, "--print-config"], capture_output=True, text=True, check=True)
    return [line for line in told.stdout.splitlines() if not line.startswith("preset = ")]


for program in sorted(programs.iterdir()):
    help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    offered = re.search(r"--preset .*?\(([^)]*)\)", help_text, re.S)
    if not offered:
        continue
    names = [name.strip() for name in offered.group(1).split(",")]
    page = (source / "man" / f"{program.name}.1").read_text()
    entry = re.search(r"^\.It Fl -preset .*?^\.Bl (.*?)^\.El", page, re.M | re.S)
    described = dict(re.findall(r"^\.It Cm (\S+)\n(.*?)(?=^\.It|\Z)", entry.group(1), re.M | re.S))
    if list(described) != names:
        faults.append(f"{program.name}: the page describes {list(described)}, offered are {names}")
    for name in names:
        checked += 1
        if name in described and resolved(program, flags(described[name])) != resolved(program, ["--preset", name]):
            faults.append(f"{program.name}: preset {name}: the flags of the page set something else")
if not checked:
    faults.append("no program offers a preset")
print("\n".join(faults) if faults else f"summary: presets: {checked} are what the pages say")
sys.exit(bool(faults))
