"""A GAN learns to make clips of digits that move, and is judged beside clips that no GAN has made.

    python examples/video_gan.py                              # MoCoGAN on the bundled digits
    python examples/video_gan.py --model vgan                 # whole clips at once
    python examples/video_gan.py --judge out/mocogan out/vgan # runs that there are, as of minigan train --model mocogan

The folder of the run gets, beside what every run leaves (final.gif plays clips, final.png shows their frames),
judged.md: does a digit stay itself, does it move smoothly, do the walls hold, how far are the clips from real ones. Of
a MoCoGAN also motions.png, where each content is moved in four ways, and contents.png, where each motion moves four
contents; and long.gif, clips four times as long as those it has learned from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from minigan import cli, data, gan, media, viz
from minigan.commands.arguments import LoadedGenerator, positive
from minigan.commands.example import add_usual
from minigan.commands.options import dry_run
from minigan.errors import InputError
from minigan.export import open_subject
from minigan.files import write_atomically
from minigan.metrics import ClipJudge, ClipStatistics
from minigan.runs.folder import model_of

CLIPS = 400  # of each kind that is judged
KINDS = 4  # contents and motions that are exchanged
FLOAT = np.dtype("float32")


def main() -> int:
    return cli.user_errors(work, options().parse_args())


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", nargs="+", metavar="RUN", help="train nothing: judge these runs")
    parser.add_argument("--model", choices=("mocogan", "vgan"), default="mocogan", help="default: mocogan")
    add_usual(parser)
    parser.add_argument("--steps", type=positive, help="default: what the model takes by itself")
    parser.add_argument("--width", type=positive, help="of the layer next to the pixels (default: the model's own)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/MODEL)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, exactly")
    return parser


def work(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, width=2)
    runs = [Path(run) for run in args.judge or [train(args)]]
    loaded = {run: LoadedGenerator(model_of(run), args.backend) for run in runs}
    for run, generator in loaded.items():
        if generator.medium.noun != "clips":
            raise InputError(f"{run}: its {generator.medium.noun} are no clips: judge a run of mocogan or vgan")
        if hasattr(generator.generator, "z_dim_for"):
            exchange(generator, run if run.is_dir() else run.parent)
    if args.dry_run:
        return
    made = {f"{run.name}": drawn(generator, np.random.default_rng(args.seed)) for run, generator in loaded.items()}
    told = table(judged(made))
    for run in runs:
        write_atomically((run if run.is_dir() else run.parent) / "judged.md", told.encode())
    print(told, end="")


def train(args: argparse.Namespace) -> Path:
    """``minigan train``, whose folder this is."""
    out = Path(args.out or f"out/{args.model}")
    command = ["train", "--model", args.model, "--out", str(out), "--seed", str(args.seed), "--backend", args.backend]
    for name in ("steps", "width", "threads"):
        if getattr(args, name) is not None:
            command += [f"--{name}", str(getattr(args, name))]
    command += [f"--{name}" for name in ("resume", "quiet") if getattr(args, name)]
    if cli.main(command):
        raise InputError("the run has failed, see above")
    return out


def drawn(loaded: LoadedGenerator, rng: np.random.Generator) -> np.ndarray:
    return gan.generate(loaded.generator, rng.standard_normal((CLIPS, loaded.z_dim)))


def judged(made: dict[str, np.ndarray]) -> dict[str, ClipStatistics]:
    """The clips beside real ones, which are of MNIST's test digits, and beside what is not a clip at all."""
    rng = np.random.default_rng(1)
    source = data.moving_digits(split="test")
    chosen = rng.permutation(len(source))[: 2 * CLIPS]
    (reference,), (real,) = (source.draw(chosen[half::2], rng, FLOAT) for half in (0, 1))
    judge = ClipJudge(reference)
    rows = {
        "real clips, others": real,
        **made,
        "real frames, shuffled": np.stack([clip[rng.permutation(len(clip))] for clip in real]),
        "a still picture": real[:, :1].repeat(real.shape[1], axis=1),
        "frames of a picture GAN, each another": independent(real.shape, rng),
    }
    return {name: judge(clips) for name, clips in rows.items()}


def independent(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Clips of which each frame is another digit of the bundled picture GAN, anywhere in the field."""
    subject = open_subject("digits")
    count = shape[0] * shape[1]
    z = subject.inputs(count, rng)["z"]
    pixels = gan.generate(subject.network, z) * 127.5 + 127.5
    digits = data.Dataset(np.where(pixels < 26, 0, np.rint(pixels)).astype(np.uint8), name="generated digits")
    (frames,) = data.MovingDigits(digits, frames=1, size=shape[-1]).draw(np.arange(count), rng, FLOAT)
    return frames.reshape(shape)


def table(found: dict[str, ClipStatistics]) -> str:
    lines = [
        "| | digit kept | speed | second difference | whole | Fréchet distance |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        lines.append(
            f"| {name} | {one.kept:.1%} | {one.speed:.2f} | {one.jerk:.2f} | {one.whole:.1%} | {one.distance:.2f} |"
        )
    return "\n".join(lines) + "\n"


def exchange(loaded: LoadedGenerator, out: Path) -> None:
    """Strips, a row for a clip: each content with each motion, sorted by content, and by motion; and long clips."""
    generator, rng = loaded.generator, np.random.default_rng(2)
    z = rng.standard_normal((2, KINDS, loaded.z_dim))
    split: int = getattr(generator, "content", 0)
    contents, motions = z[0, :, :split], z[1, :, split:]
    pairs = np.concatenate([contents.repeat(KINDS, axis=0), np.tile(motions, (KINDS, 1))], axis=1)
    clips = gan.generate(generator, pairs)
    clips = clips.reshape(KINDS, KINDS, *clips.shape[1:])
    for name, sorted_clips in (("motions", clips), ("contents", clips.swapaxes(0, 1))):
        frames = sorted_clips.reshape(-1, *clips.shape[3:])
        viz.save_png(out / f"{name}.png", viz.grid(frames, columns=clips.shape[2]))
    long = rng.standard_normal((KINDS**2, loaded.z_dim_for(4 * clips.shape[2])))
    media.Clips({}).save(out / "long.gif", gan.generate(generator, long))


if __name__ == "__main__":
    sys.exit(main())
