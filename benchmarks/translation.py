"""What docs/translate.md tells of, and the networks that are bundled for it and for docs/attributes.md: the commands,
and what they come to.

    python -m benchmarks.translation --faces my/faces.png     # run what has not been run yet, pack
    python -m benchmarks.translation --only cats-0 cats-1     # these alone
    python -m benchmarks.translation --only cats-0 --draw docs/translate    # and the pictures of the page

Each example writes what it says to ``--work``/NAME.txt. A network is packed in half precision, with its command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from minigan import checkpoint
from minigan.backend import get
from minigan.restoration.picture import read_photo
from minigan.translation import PhotoTranslator, editor, translator

COMMANDS = {
    **{f"cats-{seed}": f"examples/cats_to_dogs.py --seed {seed}" for seed in range(3)},
    "style": "examples/style.py",
    "emoji": "examples/emoji.py --mix .2 .35 .15",
    "heads": "examples/avatars.py",
}
BUNDLED = {"emoji": ("ab.safetensors", translator.WEIGHTS), "heads": ("model.safetensors", editor.WEIGHTS)}
TANGUY = Path(__file__).parents[1] / "examples/data/van_gogh/pere_tanguy.jpg"
FACE = (128, 62, 144)  # x, y, side: where his is


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, metavar="PATH", help="portraits, for the emoji: see examples/emoji.py")
    parser.add_argument("--work", type=Path, default=Path("out/translation"), help="where the runs are")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, metavar="NAME", help="these alone")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="write the pictures of what was run there")
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
        if args.draw:
            draw(name, args.work / name, args.draw)
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


# ---- pictures of it ----------------------------------------------------------------------------------------------


def draw(name: str, run: Path, folder: Path) -> None:
    """What the example drew last, as the page shows it; of the emoji a painted portrait, and no photo of a person."""
    last = sorted(run.glob("step-*.png"))
    if name == "cats-0":
        with Image.open(last[-1]) as grid:
            grid.resize((2 * grid.width, 2 * grid.height), Image.Resampling.NEAREST).save(folder / "cats.png")
    elif name == "style":
        rows = [Image.open(path).convert("RGB") for path in last[-3:]]
        Image.fromarray(np.concatenate([np.asarray(row) for row in rows])).save(folder / "style.jpg", quality=88)
    elif name == "emoji":
        network = PhotoTranslator.load(run / "ab.safetensors", get("numpy"))
        photo = read_photo(TANGUY)
        both = [network.looked_at(photo, FACE), network.photo(photo, FACE).pixels]
        shown = [pixels.repeat(4, 0).repeat(4, 1) for pixels in both]
        between = np.full((len(shown[0]), 16, 3), 255, np.uint8)
        Image.fromarray(np.concatenate([shown[0], between, shown[1]], axis=1)).save(folder / "tanguy.png")


if __name__ == "__main__":
    sys.exit(main())
