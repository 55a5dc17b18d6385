#!/usr/bin/env python3
"""Every include stays on its floor or on those its row of tests/floors.txt names.

floors.py SOURCE_DIR [BUILD_DIR]: outside headers must be listed in the row too; tools include
floors and the standard library only; a header of an "only" row appears in the files that it names.
"""
import re
import sys
from pathlib import Path

source = Path(sys.argv[1])
STANDARD = re.compile(r"^[a-z_0-9]+$|^(sys|linux|asm)/|^(unistd|fcntl|dlfcn|signal|poll|sched|"
                      r"setjmp|cpuid|immintrin|pmmintrin|xmmintrin|errno|termios|time|stdio|stdlib|string|elf|link)\.h$")
rows, only = {}, []
for line in (source / "tests/floors.txt").read_text().splitlines():
    if line.startswith("only "):
        prefixes, places = line.removeprefix("only ").split(":")
        only.append((tuple(prefixes.split()), tuple(places.split())))
    elif line and not line.startswith("#"):
        floor, rest = line.split(":", 1)
        below, outside = rest.split("|")
        rows[floor] = (set(below.split()) | {floor}, tuple(outside.split()))

faults = []
files = sorted([*source.glob("lib/**/*.cc"), *source.glob("lib/**/*.h"), *source.glob("tools/*.cc"),
                *source.glob("tools/*.h")])
for path in files:
    relative = path.relative_to(source)
    floor = relative.parts[1] if relative.parts[0] == "lib" else "tools"
    if floor not in rows and floor != "tools":
        faults.append(f"{relative}: floor '{floor}' has no row in tests/floors.txt")
        continue
    below, outside = rows.get(floor, (set(rows), ()))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        mark, name = match.groups()
        if mark == '"' and name.split("/")[0] in rows:
            if name.split("/")[0] not in below:
                faults.append(f"{relative}:{number}: floor {floor} may not include {name}")
        elif mark == '"' and not (path.parent / name).exists():
            faults.append(f"{relative}:{number}: {name} is on no floor")
        elif mark == "<" and not STANDARD.match(name) and not name.startswith(outside or ("\0",)):
            faults.append(f"{relative}:{number}: floor {floor} may not include <{name}>")
        for prefixes, places in only:
            if mark == "<" and name.startswith(prefixes) and not str(relative).startswith(places):
                faults.append(f"{relative}:{number}: <{name}> belongs to {', '.join(places)}")
print("\n".join(faults) if faults else f"summary: floors: {len(files)} files include what they may")
sys.exit(bool(faults))
