"""An epoch of examples/mnist_gan.py --recipe dcgan2016 beside PyTorch: loading, logging and pictures included.

    python -m benchmarks.epoch --json epoch.json --plot epoch.png

Both shuffle and scale the 60,000 digits, blur what D sees, write a line of JSON each step, draw the same grids at the
same steps, and save at the end. minigan's run is the example itself, which also watches the run's health, keeps
states to go back to, and draws curves, walks and an animation.

What the example does beside its training steps, from its first line to its last file, is told as a share of its time.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import plot
from benchmarks.child import ROOT
from benchmarks.harness import arguments, begin, finish, interleave, own, result, table
from benchmarks.workloads import WORKLOADS, images
from minigan import data, viz
from minigan.gan import Trainer
from minigan.runs.run import frame_interval

EPOCH = 60_000 // WORKLOADS["mnist_dcgan"].batch
NOISE, NOISY_STEPS = 0.3, 2000  # the example's


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--steps", type=int, default=EPOCH, help=f"instead of the epoch's {EPOCH}")
    args = parser.parse_args()
    begin(args)
    beside: dict[str, list[float]] = {name: [] for name in own(args)}
    contenders = {
        name: lambda steps, name=name, place=place: beside[name].append(minigan_training(steps, place))
        for name, place in own(args).items()
    } | THEIRS
    for train in contenders.values():
        train(2)
    for shares in beside.values():
        shares.clear()
    timed = {name: lambda train=train: train(args.steps) for name, train in contenders.items()}
    name = "epoch of the example" if args.steps == EPOCH else f"{args.steps} steps of the example"
    row = result(f"{name}, mnist_dcgan", WORKLOADS["mnist_dcgan"].batch, interleave(timed, args.rounds, warmup=0))
    row["beside_the_steps"] = {name: statistics.median(shares) for name, shares in beside.items()}
    print(table([row]))
    for name, share in row["beside_the_steps"].items():
        print(f"  {name}: {share:.1%} of its time goes to what is no training step")
    finish(args, [row], plot.bars)


def minigan_training(steps: int, backend: str) -> float:
    """Run the example; the share of its time that was not spent in the trainer's steps."""
    in_steps = 0.0
    step = Trainer.step

    def timed(*args: Any, **settings: Any) -> Any:
        nonlocal in_steps
        start = time.perf_counter()
        try:
            return step(*args, **settings)
        finally:
            in_steps += time.perf_counter() - start

    before = sys.argv
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        chosen = ["--recipe", "dcgan2016", "--steps", str(steps), "--out", folder, "--backend", backend]
        sys.argv = ["mnist_gan.py", "--quiet", *chosen]
        start = time.perf_counter()
        try:
            with mock.patch.object(Trainer, "step", timed):
                runpy.run_path(str(ROOT / "examples" / "mnist_gan.py"), run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise RuntimeError("the example failed") from None
        finally:
            sys.argv = before
        return 1 - in_steps / (time.perf_counter() - start)


def torch_training(steps: int, tuned: bool = False) -> None:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from benchmarks import pytorch

    workload = WORKLOADS["mnist_dcgan"]
    digits = TensorDataset(torch.from_numpy(data.mnist("train").images))
    loader = DataLoader(digits, workload.batch, shuffle=True, drop_last=True)
    count = 0

    def blurred(shown: torch.Tensor) -> torch.Tensor:
        return shown + NOISE * max(0.0, 1 - count / NOISY_STEPS) * torch.randn_like(shown)

    generator, discriminator = pytorch.build(workload)
    example = images(workload, workload.batch)
    step = pytorch.training_step(
        (generator, discriminator), example, workload, torch.channels_last, tuned=tuned, show=blurred
    )
    z = torch.randn(64, workload.z_dim)

    def draw(path: Path) -> None:
        generator.eval()
        with torch.no_grad():
            viz.save_png(path, viz.grid(generator(z).numpy()))
        generator.train()

    with tempfile.TemporaryDirectory() as name, (Path(name) / "metrics.jsonl").open("w", buffering=1) as log:
        folder = Path(name)
        while count < steps:
            for (batch,) in loader:
                count += 1
                real = (batch.float() / 127.5 - 1).to(memory_format=torch.channels_last)
                log.write(json.dumps([count, *step(real)]) + "\n")
                if count % frame_interval(count) == 0:
                    draw(folder / f"step-{count}.png")
                if count == steps:
                    break
        draw(folder / "sample.png")
        torch.save([generator.state_dict(), discriminator.state_dict()], folder / "checkpoint.pt")


THEIRS: dict[str, Callable[[int], None]] = {
    "torch_channels_last": torch_training,
    "torch_tuned": lambda steps: torch_training(steps, tuned=True),
}


if __name__ == "__main__":
    main()
