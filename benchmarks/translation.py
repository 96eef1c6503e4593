"""What docs/translate.md tells of, and the networks that are bundled for it and for docs/attributes.md: the commands,
and what they come to.

    python -m benchmarks.translation --faces my/faces.png     # run what has not been run yet, pack
    python -m benchmarks.translation --only cats-0 cats-1     # these alone

Each example writes what it says to ``--work``/NAME.txt. A network is packed in half precision, with its command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from minigan import checkpoint
from minigan.translation import editor, translator

COMMANDS = {
    **{f"cats-{seed}": f"examples/cats_to_dogs.py --seed {seed}" for seed in range(3)},
    "style": "examples/style.py",
    "emoji": "examples/emoji.py --steps 350 --identity-weight 2",
    "heads": "examples/avatars.py",
}
BUNDLED = {"emoji": ("ab.safetensors", translator.WEIGHTS), "heads": ("model.safetensors", editor.WEIGHTS)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, metavar="PATH", help="portraits, for the emoji: see examples/emoji.py")
    parser.add_argument("--work", type=Path, default=Path("out/translation"), help="where the runs are")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, metavar="NAME", help="these alone")
    parser.add_argument("--backend", default="numpy", help="of each example (default: numpy)")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in args.only or COMMANDS:
        told = args.work / f"{name}.txt"
        if not told.is_file():
            faces = ["--faces", str(args.faces)] if name == "emoji" else []
            if name == "emoji" and args.faces is None:
                parser.error("the emoji needs portraits: --faces PATH, or leave it out by --only")
            argv = [
                *COMMANDS[name].split(),
                *faces,
                "--backend",
                args.backend,
                "--quiet",
                "--out",
                str(args.work / name),
            ]
            done = subprocess.run([sys.executable, *argv], check=True, capture_output=True, text=True)
            told.write_text(done.stdout)
        print(f"{name}\n{told.read_text()}")
        if name in BUNDLED:
            pack(name, args.work)
    return 0


def pack(name: str, work: Path) -> None:
    """Into the package: the network's weights in float16, and how it was trained."""
    file, folder = BUNDLED[name]
    arrays, facts = checkpoint.read(work / name / file, "model")
    half = {key: array.astype(np.float16) for key, array in arrays.items()}
    target = folder / f"{name}.safetensors"
    folder.mkdir(exist_ok=True)
    checkpoint.save(target, "model", half, {**facts, "trained_by": f"python {COMMANDS[name]}"})
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
