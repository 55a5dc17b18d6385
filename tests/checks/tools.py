#!/usr/bin/env python3
"""Each program is named in README.md and in the overview; tools.py SOURCE_DIR [BUILD_DIR]."""
import re
import sys
from pathlib import Path

source = Path(sys.argv[1])
tools = sorted(path.stem for path in source.glob("tools/*.cc"))
places = {"README.md": r"\[{0}\]\(man/{0}\.1\)", "man/atelier.7": r"(?m)^\.It Xr {0} 1$"}
faults = [f"{place}: {tool} is not in its list" for place, form in places.items() for tool in tools
          if not re.search(form.format(re.escape(tool)), (source / place).read_text())]
if not tools:
    faults.append("tools: no program was found")
print("\n".join(faults) if faults else f"summary: tools: {len(tools)} programs are in both lists")
sys.exit(bool(faults))
