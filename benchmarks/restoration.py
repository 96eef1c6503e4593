"""The networks that are bundled for ``minigan restore``: the command that trains each, and what they come to.

    python -m benchmarks.restoration --work out/restoration          # train what is not there yet, pack, evaluate
    python -m benchmarks.restoration --work out/restoration --pack denoise derain

A network is packed in half precision, with its command. Each takes less than ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from minigan import checkpoint
from minigan.restoration import TASKS
from minigan.restoration.restore import WEIGHTS

PHOTOS = "--data examples/data/photos"
DRAWINGS = "--data examples/data/openmoji/color.png --source examples/data/openmoji/black.png"
ALONE = "--no-adversary --batch-size 8"
SHARP = "--start-from {work}/{task} --batch-size 8 --g-lr 2e-4 --d-lr 5e-4 --l1-weight 20"
COMMANDS = {
    "denoise": f"--model dncnn --task denoise {ALONE} {PHOTOS} --steps 2000 --decay-from 1000",
    # The network that is bundled saw only rain within 50 degrees of straight down in these first 1,500 steps.
    "derain-first": f"--model dncnn --task derain {ALONE} {PHOTOS} --steps 1500 --decay-from 700",
    "derain": f"--model dncnn --task derain {ALONE} {PHOTOS} --steps 200 --decay-from 80 "
    "--start-from {work}/derain-first",
    "enlarge": f"--model srgan --task enlarge {ALONE} {PHOTOS} --steps 1500 --decay-from 700",
    "inpaint": f"--model context_encoder --task inpaint {ALONE} {PHOTOS} --steps 350 --decay-from 150",
    "colorize": f"--model pix2pix --task colorize {ALONE} {DRAWINGS} --steps 300 --decay-from 150",
    # Worse than its twin in every way after so few steps, and so it is not bundled: see docs/restore.md.
    "denoise-sharp": f"--model dncnn --task denoise {PHOTOS} --steps 80 {SHARP}",
}


def command(name: str, work: Path) -> list[str]:
    """The arguments of ``python -m minigan train`` for a network."""
    text = COMMANDS[name].format(work=work, task=name.removesuffix("-sharp"))
    return [*text.split(), "--out", str(work / name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/restoration"), help="where the runs are")
    parser.add_argument("--pack", nargs="+", choices=COMMANDS, metavar="NAME", help="only pack these")
    args = parser.parse_args()
    if args.pack:
        for name in args.pack:
            pack(name, args.work)
        return 0
    for name in COMMANDS:
        if not (args.work / name / "model.safetensors").is_file():
            subprocess.run([sys.executable, "-m", "minigan", "train", *command(name, args.work)], check=True)
        if name in TASKS:
            pack(name, args.work)
    for task in TASKS:
        data = DRAWINGS.replace("--source", "--drawings") if task == "colorize" else PHOTOS
        subprocess.run([sys.executable, "-m", "minigan", "evaluate", "--task", task, *data.split()], check=True)
    return 0


def pack(name: str, work: Path) -> None:
    """Into the package: the network's weights in float16, and how it was trained."""
    arrays, facts = checkpoint.read(work / name / "model.safetensors", "model")
    half = {key: array.astype(np.float16) for key, array in arrays.items()}
    told = " ".join(command(name, Path("out/restoration")))
    target = WEIGHTS / f"{name}.safetensors"
    WEIGHTS.mkdir(exist_ok=True)
    checkpoint.save(target, "model", half, {**facts, "trained_by": f"python -m minigan train {told}"})
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
