"""WaveGAN (Donahue, McAuley & Puckette 2019): sounds sample by sample, by DCGAN's networks made flat.

Where DCGAN has 4x4 kernels and doubles each side, WaveGAN has kernels of 25 and makes a sound four times as long; as
many parameters see as many numbers. D's layers shuffle phases (``nn.PhaseShuffle``). As in ``specgan.py``, both players
are told the label where there is one, and R1 holds D's slope.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn
from ...errors import InputError
from ..penalties import R1
from .model import Model, Networks
from .sizes import check_sizes
from .specgan import EMBEDDING, open_sounds, told

QUARTER: dict[str, Any] = {"stride": 4, "padding": 11}  # of a kernel of 25: a sound of 4 n samples becomes n numbers
KERNEL, SHUFFLE = 25, 2
SHORTEST = 16  # numbers: the innermost map of a generator is at least so long


def quarterings(samples: int) -> list[int]:
    """The lengths from the sound inwards: divided by 4 while that leaves at least 16.

    >>> quarterings(5120), quarterings(16384)
    ([5120, 1280, 320, 80, 20], [16384, 4096, 1024, 256, 64, 16])
    """
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 256 or samples % 256:
        raise InputError(f"wavegan: samples = {samples} must be a multiple of 256: see data.audio")
    lengths = [int(samples)]
    while lengths[-1] % 4 == 0 and lengths[-1] // 4 >= SHORTEST:
        lengths.append(lengths[-1] // 4)
    return lengths


def wavegan(
    *,
    rng: np.random.Generator,
    classes: int | None = None,
    samples: int = 5120,
    sample_rate: int = 8000,
    z_dim: int = 100,
    width: int | None = None,
) -> Networks:
    """z (N, z_dim) and, where there are ``classes``, labels (N,) -> sounds (N, 1, samples) in [-1, 1]; these and the
    labels -> logits (N, 1).

    ``width`` is the number of channels next to the samples (default: 16; the paper's 64), twice as many after each
    quartering up to 16 times. The networks do not look at ``sample_rate``.
    """
    check_sizes(1 if classes is None else classes, z_dim)
    width, lengths = width or 16, quarterings(samples)
    widths = [width * 2 ** min(depth, 4) for depth in range(len(lengths) - 1)]
    inner, length = widths[-1], lengths[-1]
    inputs = z_dim + (0 if classes is None else EMBEDDING)
    grow: list[nn.Module] = [nn.Linear(inputs, inner * length, rng=rng), nn.Reshape(inner, length)]
    for wide, narrow in pairwise([*widths[::-1], 1]):
        up = nn.ConvTranspose1d(wide, narrow, KERNEL, **QUARTER, output_padding=1, rng=rng)
        grow += [nn.ReLU(), up]
    shrink: list[nn.Module] = []
    for number, (narrow, wide) in enumerate(pairwise([1, *widths])):
        shrink += [nn.PhaseShuffle(SHUFFLE, rng=np.random.default_rng(rng.integers(2**62)))] if number else []
        shrink += [nn.Conv1d(narrow, wide, KERNEL, **QUARTER, rng=rng), nn.LeakyReLU(0.2)]
    network, body = nn.Sequential(*grow, nn.Tanh()), nn.Sequential(*shrink, nn.Flatten())
    return told(network, body, widths[-1] * length, classes, rng)


MODEL = Model(
    name="wavegan",
    summary="sounds sample by sample: one-dimensional convolutions, phase shuffle; R1",
    paper="Donahue, McAuley & Puckette 2019, arXiv:1802.04208",
    networks=wavegan,
    conditional=True,
    labels_optional=True,
    penalties=(R1(gamma=0.1, every=8),),
    g_lr=1e-3,
    d_lr=1e-3,
    betas=(0.0, 0.99),
    ema=0.998,
    batch_size=64,
    steps=3000,
    medium="waves",
    open_data=open_sounds,
)
