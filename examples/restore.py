"""Teach a network to take noise out of photos, and see what an adversary adds.

    python examples/restore.py                       # photos of examples/data, an hour or so; Ctrl-C ends it cleanly
    python examples/restore.py --data my/photos --task derain

Nobody has a photo with its noise and without. So the damage is done here, to good photos, afresh in every step
(data.Paired), and the network learns to undo it: first by itself, as near to the truth as it can (L1), then against an
adversary who is shown the damaged picture beside what is to be judged, and calls what is too smooth a forgery.

The same without the loop: python -m minigan train --model drunet --task denoise --data examples/data/photos
And on a picture of yours: python -m minigan restore photo.jpg --model out/restore/model.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import minigan
from minigan import checkpoint, data, gan, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data.paired import split
from minigan.errors import InputError
from minigan.optim import LinearDecay
from minigan.restoration import TASKS
from minigan.runs.looks import side_by_side

PHOTOS = Path(__file__).parent / "data" / "photos"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=PHOTOS, help="a folder of good photos (default: examples/data)")
    parser.add_argument("--task", choices=[t.name for t in TASKS.values() if not t.drawn], default="denoise")
    add_out(parser, "out/restore")
    parser.add_argument("--steps", type=positive, help="without the adversary (default: 4000)")
    parser.add_argument("--adversarial-steps", type=positive, help="with it (default: 1000)")
    parser.add_argument("--batch-size", type=positive, help="crops a step (default: 16)")
    add_usual(parser)
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, adversarial_steps=2, batch_size=2)
    set_defaults(args, steps=4000, adversarial_steps=1000, batch_size=16)
    place, task = place_of(args), TASKS[args.task]
    model = gan.PAIRED[task.model]
    init, noise, shuffle, looks = map(np.random.default_rng, np.random.SeedSequence(args.seed).spawn(4))

    # Good photos; each eighth is only looked at.
    photos = data.read_pictures(args.data)
    if len(photos) < 8:
        raise InputError(f"--data {args.data}: {len(photos)} photos; at least 8, of which one is only looked at")
    learned, held = (
        data.Paired({name: photos[name] for name in names}, task.degrade, crop=task.crop)
        for names in split(list(photos), every=8)
    )
    loader = data.Loader(learned, args.batch_size, backend=place, rng=shuffle)
    architecture = {"task": task.name, **task.architecture(task.model, model.scales, width=None)}
    generator, discriminator = (network.to(place) for network in gan.build(architecture, init))
    truth, damaged = held.draw(np.linspace(0, len(held) - 1, 12).astype(int), looks, np.dtype(np.float32))

    def report(step: int) -> str:
        """Draw source, result and truth, and say how near they are."""
        made = gan.translate(generator, damaged)
        viz.save_png(args.out / f"step-{step:05d}.png", viz.grid(side_by_side(damaged, made, truth), columns=9))
        pairs = zip(as_bytes(made), as_bytes(truth), strict=True)
        psnr = np.mean([metrics.psnr(picture, true) for picture, true in pairs])
        return f"{psnr:.2f} dB, patch distance {metrics.patch_distance(as_bytes(made), as_bytes(truth)):.0f}"

    args.out = out_folder(args.out, "out/restore")
    alone = gan.Paired(generator, rng=noise)  # G learns from the L1 term only
    judged = gan.Paired(generator, discriminator, rng=noise, l1_weight=model.l1_weight)
    done = 0
    for name, game, steps, rate in (
        ("L1 alone", alone, args.steps, model.g_lr),
        ("with an adversary", judged, args.adversarial_steps, model.g_lr / 10),
    ):
        adams = {turn.name: minigan.optim.Adam(turn.networks[0].parameters(), lr=rate) for turn in game.turns}
        trainer = gan.Trainer(game, adams, schedule=LinearDecay(start=steps // 3, end=steps + 1))
        with tqdm(total=steps, desc=name, disable=args.quiet or sys.stderr is None) as bar:
            for batch in loader.forever():
                (record,) = trainer.steps([batch])
                bar.update()
                if "psnr" in record.values:
                    bar.set_postfix(psnr=f"{record.psnr:.1f}", refresh=False)
                if record.step == steps:
                    break
        done += steps
        print(f"{name}: {report(done)}")
        checkpoint.save_model(args.out / ("model.safetensors" if game is alone else "sharp.safetensors"), generator,
                              architecture)  # fmt: skip
    print(f"pictures and models in {args.out}")


def as_bytes(pictures: np.ndarray) -> np.ndarray:
    """[-1, 1] (N, C, H, W) -> uint8 (N, H, W, C)"""
    return np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


if __name__ == "__main__":
    sys.exit(main())
