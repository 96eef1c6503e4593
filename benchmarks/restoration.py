"""The networks that are bundled for ``minigan restore``: the command that trains each, and what they come to.

    python -m benchmarks.restoration --work out/restoration          # train what is not there yet, pack, evaluate
    python -m benchmarks.restoration --work out/restoration --pack denoise derain
    python -m benchmarks.restoration --work out/restoration --markdown docs/restore.md   # the tables, into the page
    python -m benchmarks.restoration --draw docs/restore             # given, restored and true, of pictures held out

A network is packed in half precision, with its command. The longest runs take half an hour of a core.
"""

from __future__ import annotations

import argparse
import json
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

from .report import filled, markdown

DATA = Path(__file__).parents[1] / "examples" / "data"
OPENMOJI = DATA / "openmoji"
PHOTOS = "--data examples/data/photos"
DRAWINGS = "--data examples/data/openmoji/color.png --source examples/data/openmoji/black.png"
ALONE = "--no-adversary --ema 0.999"
COMMANDS = {
    "denoise-first": f"--model drunet --task denoise {ALONE} --batch-size 4 {PHOTOS} --steps 6500 --decay-from 1",
    "denoise-second": f"--model drunet --task denoise {ALONE} --batch-size 2 --crop 80 {PHOTOS} --g-lr 6e-4 "
    "--steps 2200 --decay-from 1 --start-from {work}/denoise-first",
    "denoise": f"--model drunet --task denoise {ALONE} --batch-size 2 --crop 80 {PHOTOS} --g-lr 6e-4 --steps 20000 "
    "--decay-from 1 --start-from {work}/denoise-second",
    # The one that is bundled saw only rain within 50 degrees of straight down in these first 1,500 steps, and only of
    # 1 to 12 streaks on 1,000 pixels, opaque by 0.08 to 0.8, in all but the last two.
    "derain-first": f"--model dncnn --task derain --no-adversary --batch-size 8 {PHOTOS} --steps 1500 --decay-from 700",
    "derain-second": f"--model dncnn --task derain --no-adversary --batch-size 8 {PHOTOS} --steps 200 --decay-from 80 "
    "--start-from {work}/derain-first",
    "derain-third": f"--model dncnn --task derain {ALONE} --batch-size 8 {PHOTOS} --steps 800 --decay-from 1 "
    "--start-from {work}/derain-second",
    "derain-fourth": f"--model dncnn --task derain {ALONE} --batch-size 8 {PHOTOS} --g-lr 7e-4 --steps 1300 "
    "--decay-from 1 --start-from {work}/derain-third",
    "derain": f"--model dncnn --task derain {ALONE} --batch-size 8 {PHOTOS} --g-lr 7e-4 --steps 9000 --decay-from 1 "
    "--start-from {work}/derain-fourth",
    "enlarge-first": f"--model srgan --task enlarge --no-adversary --batch-size 8 {PHOTOS} --steps 1500 "
    "--decay-from 700",
    "enlarge": f"--model srgan --task enlarge {ALONE} --batch-size 8 {PHOTOS} --steps 1000 --decay-from 1 "
    "--start-from {work}/enlarge-first",
    "inpaint-first": f"--model context_encoder --task inpaint {ALONE} --batch-size 8 {PHOTOS} --g-lr 5e-4 "
    "--clip-grad-norm 50 --steps 8000 --decay-from 1",
    "inpaint": f"--model context_encoder --task inpaint {ALONE} --batch-size 8 {PHOTOS} --g-lr 5e-4 "
    "--clip-grad-norm 50 --steps 12000 --decay-from 1 --start-from {work}/inpaint-first",
    # At a rate of 1e-3 the loss explodes after 300 steps, and G does nothing from then on.
    "colorize": f"--model pix2pix --task colorize {ALONE} --batch-size 4 {DRAWINGS} --g-lr 3e-4 --clip-grad-norm 50 "
    "--steps 2500 --decay-from 1000",
    # An unsharp mask does more for less, and so it is not bundled: see docs/restore.md.
    "enlarge-sharp": f"--model srgan --task enlarge --ema 0.99 --batch-size 8 {PHOTOS} --g-lr 1e-4 --d-lr 5e-4 "
    "--betas 0.5 0.999 --l1-weight 30 --steps 500 --decay-from 200 --start-from {work}/enlarge",
}
LESS_IS_BETTER = ("patch distance", "L1")
PLACE = "--backend numba --threads 1"


def command(name: str, work: Path) -> list[str]:
    """The arguments of ``python -m minigan train`` for a network."""
    text = COMMANDS[name].format(work=work)
    return [*text.split(), *PLACE.split(), "--out", str(work / name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/restoration"), help="where the runs are")
    parser.add_argument("--pack", nargs="+", choices=COMMANDS, metavar="NAME", help="only pack these")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="fill the places in it from what was evaluated")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="only draw what the bundled networks do, as PNGs")
    args = parser.parse_args()
    if args.draw:
        for task in TASKS:
            draw(task, args.draw)
        return 0
    if args.markdown:
        found = {task: json.loads((args.work / f"{task}.json").read_text())["tables"] for task in TASKS}
        made = {task: compared(tables) for task, tables in found.items()}
        args.markdown.write_text(filled(args.markdown.read_text(), made))
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
        where = ["--json", str(args.work / f"{task}.json")]
        subprocess.run([sys.executable, "-m", "minigan", "evaluate", "--task", task, *data.split(), *where], check=True)
    return 0


def compared(tables: dict[str, dict[str, dict[str, float]]]) -> str:
    """Markdown of a task's tables one below the other, the best of each column bold.

    >>> print(compared({"sigma 25": {"median": {"PSNR": 24.2, "patch distance": 3}, "minigan": {"PSNR": 27.8,
    ...                                                                                "patch distance": 3.5}}}))
    | damage | method | PSNR | patch distance |
    |---|---|--:|--:|
    | sigma 25 | median | 24.20 | **3.00** |
    |  | minigan | **27.80** | 3.50 |
    """
    lines: list[list[str]] = []
    for damage, rows in tables.items():
        names = list(next(iter(rows.values())))
        best = {n: (min if n in LESS_IS_BETTER else max)(row[n] for row in rows.values()) for n in names}
        for method, row in rows.items():
            told = {n: f"{row[n]:.3f}" if n == "SSIM" else f"{row[n]:.2f}" for n in names}
            cells = [f"**{text}**" if row[n] == best[n] else text for n, text in told.items()]
            lines.append([damage if method == next(iter(rows)) else "", method, *cells])
    return markdown(["damage", "method", *names], lines).replace("|---|--:|", "|---|---|", 1)


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
