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
ALONE = "--no-adversary --ema 0.999"
SHARP = "--start-from {work}/{task} --g-lr 2e-4 --d-lr 1e-3 --l1-weight 10"
COMMANDS = {
    # The one that is bundled began to slow down in the last 492 of these steps, by 8 %.
    "denoise-first": f"--model dncnn --task denoise {ALONE} --batch-size 8 {PHOTOS} --steps 3492",
    "denoise": f"--model dncnn --task denoise {ALONE} --batch-size 8 {PHOTOS} --steps 2000 --decay-from 1 "
    "--start-from {work}/denoise-first",
    # The one that is bundled saw only rain within 50 degrees of straight down in these first 1,500 steps.
    "derain-first": f"--model dncnn --task derain --no-adversary --batch-size 8 {PHOTOS} --steps 1500 --decay-from 700",
    "derain-second": f"--model dncnn --task derain --no-adversary --batch-size 8 {PHOTOS} --steps 200 --decay-from 80 "
    "--start-from {work}/derain-first",
    "derain": f"--model dncnn --task derain {ALONE} --batch-size 8 {PHOTOS} --steps 1200 --decay-from 1 "
    "--start-from {work}/derain-second",
    "enlarge-first": f"--model srgan --task enlarge --no-adversary --batch-size 8 {PHOTOS} --steps 1500 --decay-from 700",
    "enlarge": f"--model srgan --task enlarge {ALONE} --batch-size 8 {PHOTOS} --steps 1500 --decay-from 1 "
    "--start-from {work}/enlarge-first",
    "inpaint": f"--model context_encoder --task inpaint {ALONE} --batch-size 4 {PHOTOS} --steps 1500 --decay-from 500",
    "colorize": f"--model pix2pix --task colorize {ALONE} --batch-size 4 {DRAWINGS} --steps 3000 --decay-from 1000",
    "denoise-sharp": f"--model dncnn --task denoise --batch-size 8 {PHOTOS} --steps 300 {SHARP}",
    "enlarge-sharp": f"--model srgan --task enlarge --batch-size 8 {PHOTOS} --steps 300 {SHARP}",
}
PLACE = "--backend numba --threads 1"


def command(name: str, work: Path) -> list[str]:
    """The arguments of ``python -m minigan train`` for a network."""
    text = COMMANDS[name].format(work=work, task=name.removesuffix("-sharp"))
    return [*text.split(), *PLACE.split(), "--out", str(work / name)]


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
