"""The networks that are bundled for ``minigan restore``: the command that trains each, and what they come to.

    python -m benchmarks.restoration --work out/restoration          # train what is not there yet, pack, evaluate
    python -m benchmarks.restoration --work out/restoration --pack denoise derain
    python -m benchmarks.restoration --draw docs/restore             # given, restored and true, of pictures held out

A network is packed in half precision, with its command. Each takes less than ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from minigan import backend, checkpoint, viz
from minigan.commands.train_pairs import open_pairs
from minigan.data.paired import split
from minigan.restoration import TASKS
from minigan.restoration.judge import JUDGED, Case, by_network, cases, drawings
from minigan.restoration.restore import WEIGHTS, Restorer, weights
from minigan.runs.looks import side_by_side

DATA = Path(__file__).parents[1] / "examples" / "data"
OPENMOJI = DATA / "openmoji"
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
    parser.add_argument("--draw", type=Path, metavar="DIR", help="only draw what the bundled networks do, as PNGs")
    args = parser.parse_args()
    if args.draw:
        for task in TASKS:
            draw(task, args.draw)
        return 0
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


# ---- pictures of it ----------------------------------------------------------------------------------------------


def draw(task: str, folder: Path) -> None:
    """DIR/TASK.png: what is given, what the bundled network makes of it, and the truth; the first pictures held out."""
    drawn = TASKS[task].drawn
    target, source = (OPENMOJI / "color.png", OPENMOJI / "black.png") if drawn else (DATA / "photos", None)
    pictures, sources = open_pairs(target, source, 64, TASKS[task].source_channels)
    held = {name: pictures[name] for name in split(list(pictures), 8)[1]}
    if sources is not None:
        found = list(drawings(held, sources))[:: len(held) // 9][:9]
    else:
        found = list(cases(task, next(iter(JUDGED[task].values())), held, seed=0))
        # of a hole, the middle one of a picture's nine crops; else the middle of a picture
        found = found[4::9][:9] if task == "inpaint" else [part(case) for case in found[:3]]
    made = map(by_network(Restorer.load(weights(task), backend.get("numpy"))), found)
    given = [
        case.given if drawn or case.where is None else np.where(case.where[:, :, None], 255, case.given)
        for case in found
    ]
    columns = [given, made, [case.truth for case in found]]
    shown = side_by_side(*(np.stack(list(c)).transpose(0, 3, 1, 2) / np.float32(127.5) - 1 for c in columns))
    folder.mkdir(parents=True, exist_ok=True)
    grid = Image.fromarray(viz.grid(shown, 9 if len(found) > 3 else 3))
    grid.quantize(128).save(folder / f"{task}.png", optimize=True)  # a third of the bytes, and no difference to the eye


def part(case: Case, side: int = 160) -> Case:
    """The middle of a picture, and of what is given of it."""
    times = len(case.truth) // len(case.given)

    def middle(picture: np.ndarray, side: int) -> np.ndarray:
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        return picture[top : top + side, left : left + side]

    return Case(middle(case.given, side // times), middle(case.truth, side))


if __name__ == "__main__":
    sys.exit(main())
