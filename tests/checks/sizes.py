#!/usr/bin/env python3
"""No source file above 500 lines; sizes.py SOURCE_DIR [BUILD_DIR]."""
import sys
from pathlib import Path

LIMIT = 500
source = Path(sys.argv[1])
files = [p for d in ("lib", "tools", "tests", "share") for p in (source / d).rglob("*")
         if p.suffix in (".cc", ".h", ".py", ".sh") and p.is_file()]
lengths = sorted(((len(p.read_text().splitlines()), p) for p in files), reverse=True)
long = [f"{p.relative_to(source)}: {n} lines, at most {LIMIT}" for n, p in lengths if n > LIMIT]
print("\n".join(long) if long else f"summary: sizes: {len(files)} files, the longest {lengths[0][0]} lines")
sys.exit(bool(long))
