#!/usr/bin/env python3
"""Every option in a tool's --help, long or short, is in its man page and the other way round.

flags.py SOURCE_DIR BUILD_DIR
"""
import re
import subprocess
import sys
from pathlib import Path

source, build = Path(sys.argv[1]), Path(sys.argv[2])
faults, options = [], 0
for tool in sorted(source.glob("tools/*.cc")):
    name = tool.stem
    page = source / "man" / f"{name}.1"
    if not page.exists():
        faults.append(f"man/{name}.1: missing")
        continue
    text = subprocess.run([build / "bin" / name, "--help"], capture_output=True, text=True, check=True).stdout
    # An option stands at the start of a line of help or after the comma that follows another name.
    offered = set()
    for line in text.splitlines():
        head = re.match(r"\s+(-[^\s,=\[]+(?:,\s*-[^\s,=\[]+)*)", line)
        if head:
            offered |= set(re.split(r",\s*", head.group(1)))
    entries = re.findall(r"^\.It .*", page.read_text(), re.M)
    documented = {"-" + name.replace("\\-", "-") for entry in entries
                  for name in re.findall(r"Fl +([A-Za-z0-9\\-]+)", entry)}
    options += len(offered)
    for option in sorted(offered - documented):
        faults.append(f"man/{name}.1: {option} of --help has no entry")
    for option in sorted(documented - offered):
        faults.append(f"man/{name}.1: {option} is not in --help")
print("\n".join(faults) if faults else f"summary: flags: {options} options agree with their pages")
sys.exit(bool(faults))
