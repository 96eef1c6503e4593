"""Run the chapters: their Python blocks in order, in one namespace, as a notebook would.

    python docs/learn/run.py              # run every chapter and show where a printed output has changed
    python docs/learn/run.py 3            # only chapter 3
    python docs/learn/run.py --update     # write outputs and pictures anew

What a ```python block prints is expected in the ```text block right after it (or ```py, when it prints code).
Pictures are saved by the chapters' own code, and land in img/ only with --update.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CHAPTERS = sorted(HERE.glob("[0-9]-*.md"))
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```(?P<kind>text|py)\n.*?^```\n)?", re.MULTILINE | re.DOTALL)


def rerun(chapter: Path, folder: Path) -> str:
    """The chapter's text with every output as it is printed now. Files that it writes go to ``folder``."""
    text = chapter.read_text(encoding="utf-8")
    namespace = {"__name__": chapter.stem}
    (folder / "img").mkdir(exist_ok=True)

    def block(match: re.Match[str]) -> str:
        printed = io.StringIO()
        above = text.count("\n", 0, match.start("code"))  # so that a traceback shows the chapter's own line numbers
        code = compile("\n" * above + match["code"], str(chapter), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        output = "\n".join(line.rstrip() for line in printed.getvalue().rstrip().splitlines())
        shown = f"\n```{match['kind'] or 'text'}\n{output}\n```\n" if output else ""
        return f"```python\n{match['code']}```\n{shown}"

    before = Path.cwd()
    os.chdir(folder)
    try:
        with np.printoptions():  # chapters may set their own
            return BLOCK.sub(block, text)
    finally:
        os.chdir(before)


def difference(chapter: Path, folder: Path) -> str:
    """How the outputs in the chapter differ from what is printed now: "" when they do not."""
    old, new = chapter.read_text(encoding="utf-8"), rerun(chapter, folder)
    names = f"{chapter.name} as it is", f"{chapter.name} as it prints now"
    return "\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm=""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", type=int, metavar="CHAPTER", help="numbers (default: all)")
    parser.add_argument("--update", action="store_true", help="write outputs and pictures into the chapters")
    args = parser.parse_args()
    changed = False
    for chapter in CHAPTERS:
        if args.chapters and int(chapter.name[0]) not in args.chapters:
            continue
        if args.update:
            chapter.write_text(rerun(chapter, HERE), encoding="utf-8")
            print(f"{chapter.name}: written")
            continue
        with tempfile.TemporaryDirectory() as folder:
            changes = difference(chapter, Path(folder))
        print(changes or f"{chapter.name}: every output as written")
        changed |= bool(changes)
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
