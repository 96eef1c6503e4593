"""One training step (D on real and fake, then G, Adam) against PyTorch on the same CPU: same model, weights and batch.

    python -m benchmarks.train_step                        # the two headline workloads
    python -m benchmarks.train_step --json results.json

PyTorch runs its own DCGAN example's step, eager, in NCHW and in channels-last memory, and once tuned by hand
(channels-last, D frozen in the G step, fused Adam).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import minigan
from benchmarks.harness import interleave, machine, result, save_json, table
from minigan import gan
from minigan.interop import to_torch
from minigan.tensor import Tensor

WORKLOADS: dict[str, tuple[dict[str, Any], int]] = {
    "mnist_dcgan": ({"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 100}, 128),
    "dcgan64": ({"model": "dcgan", "image_size": 64, "channels": 3, "z_dim": 100}, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, action="append", help="default: all")
    parser.add_argument("--batch", type=int, action="append", help="instead of the workload's own; may be repeated")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="for minigan and PyTorch (default: all cores)")
    parser.add_argument("--json", metavar="FILE", help="write machine and results there")
    args = parser.parse_args()
    if args.threads:
        minigan.set_num_threads(args.threads)

    results = []
    for workload in args.workload or WORKLOADS:
        architecture, batch = WORKLOADS[workload]
        for size in args.batch or [batch]:
            seconds = interleave(contenders(architecture, size), args.rounds)
            results.append(result(workload, size, seconds))
            print(table(results[-1:]), flush=True)
    print(machine())
    if args.json:
        save_json(args.json, results)


def contenders(architecture: dict[str, Any], batch: int) -> dict[str, Callable[[], Any]]:
    import torch

    torch.set_num_threads(minigan.get_num_threads())
    rng = np.random.default_rng(0)
    size, channels = architecture["image_size"], architecture["channels"]
    real = np.ascontiguousarray(rng.uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)).transpose(
        0, 3, 1, 2
    )
    g, d = gan.build(architecture, rng)
    trainer = gan.Trainer(g, d, z_dim=architecture["z_dim"], rng=rng)
    return {
        "minigan": lambda: trainer.step(Tensor(real)),
        "torch_nchw": torch_step(g, d, real, torch.contiguous_format),
        "torch_channels_last": torch_step(g, d, real, torch.channels_last),
        "torch_tuned": torch_step(g, d, real, torch.channels_last, tuned=True),
    }


def torch_step(
    generator: minigan.nn.Module, discriminator: minigan.nn.Module, images: np.ndarray, layout: Any, tuned: bool = False
) -> Callable[[], Any]:
    """PyTorch's DCGAN example as it stands, or ``tuned``."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    g, d = (to_torch(m).to(memory_format=layout) for m in (generator, discriminator))
    real = torch.tensor(np.ascontiguousarray(images)).to(memory_format=layout)
    g_adam, d_adam = (torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=tuned) for m in (g, d))
    ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
    z_dim = next(g.parameters()).shape[1 if isinstance(g[0], torch.nn.Linear) else 0]

    def step() -> tuple[float, float, float, float]:
        d_adam.zero_grad()
        fake = g(torch.randn(len(real), z_dim))
        real_logits, fake_logits = d(real), d(fake.detach())
        d_loss = bce(real_logits, ones) + bce(fake_logits, zeros)
        d_loss.backward()
        d_adam.step()

        g_adam.zero_grad()
        if tuned:
            d.requires_grad_(False)
        g_loss = bce(d(fake), ones)
        g_loss.backward()
        g_adam.step()
        d.requires_grad_(True)
        return d_loss.item(), g_loss.item(), real_logits.sigmoid().mean().item(), fake_logits.sigmoid().mean().item()

    return step


if __name__ == "__main__":
    main()
