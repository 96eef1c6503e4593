"""What a penalty costs: an update of D with it beside one without, taking turns in one run.

    python -m benchmarks.penalty --threads 1

The critic is WGAN-GP's of 28 pixels, width 64; a batch has 64 images. R1 asks for D's slope at the images that the loss
has looked at already, so D's forward is shared; "r1_apart" looks at them once more, as penalties at other points must.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from benchmarks import plot
from benchmarks.harness import arguments, begin, finish, interleave, table
from benchmarks.harness import result as row_of
from minigan import gan

BATCH, WIDTH = 64, 64


class Apart(gan.R1):
    """R1 with a forward of its own."""

    at: ClassVar[str] = ""


PENALTIES: dict[str, tuple[gan.Penalty, ...]] = {
    "none": (),
    "r1": (gan.R1(gamma=1.0),),
    "r1_apart": (Apart(gamma=1.0),),
    "gradient_penalty": (gan.GradientPenalty(),),
}


def main() -> None:
    args = arguments(__doc__).parse_args()
    begin(args)
    seconds = interleave({name: update_of_d(penalties) for name, penalties in PENALTIES.items()}, args.rounds)
    row = row_of("update of D", BATCH, seconds)
    print(table([row]))
    plain = row["seconds"]["none"]
    for name, median in row["seconds"].items():
        if name != "none":
            more = 100 * (median / plain - 1)
            print(f"{name} adds {more:.0f} %; in each 8th step only, {more / 8:.0f} %")
    finish(args, [row], plot.bars)


def update_of_d(penalties: tuple[gan.Penalty, ...]) -> Callable[[], Any]:
    rng = np.random.default_rng(0)
    architecture = {"model": "wgan_gp", "width": WIDTH, "z_dim": 100}
    game = gan.TwoPlayer(*gan.build(architecture, rng), z_dim=100, rng=rng, penalties=penalties)
    trainer = gan.Trainer(game)
    pixels = np.random.default_rng(0).uniform(-1, 1, (BATCH, 28, 28, 1)).astype(np.float32)
    rounds = trainer.play(pixels.transpose(0, 3, 1, 2), recorded=False)
    turn = next(turn for turn in game.turns if turn.name == "d")
    game.step = 1

    def update() -> None:
        trainer.learn(turn, rounds)

    return update


if __name__ == "__main__":
    main()
