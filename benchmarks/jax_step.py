"""The DCGAN step in JAX, jitted whole: for machines that have it installed (pip install jax)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .workloads import Workload

LAYOUT = ("NHWC", "HWIO", "NHWC")
LR, BETA1, BETA2, EPS = 2e-4, 0.5, 0.999, 1e-8


def training_step(workload: Workload, states: list[dict[str, np.ndarray]], images: np.ndarray) -> Callable[[], Any]:
    """Starts from minigan's ``states`` of generator and discriminator. The running statistics of batch norm, which
    training does not read, are left out.
    """
    real = jnp.asarray(images.transpose(0, 2, 3, 1))
    g, d = ([jnp.asarray(array) for name, array in state.items() if name.endswith(("weight", "bias"))]
            for state in states)  # fmt: skip
    held = [(params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params]) for params in (g, d)]
    key, count = jax.random.key(0), 0
    update = jax.jit(lambda *arguments: both(workload, *arguments))

    def step() -> Any:
        nonlocal held, key, count
        count += 1
        key, used = jax.random.split(key)
        held, losses = update(held, real, used, float(count))
        return [loss.item() for loss in losses]

    return step


def both(workload: Workload, held: Any, real: Any, key: Any, count: Any) -> Any:
    """D's update, then G's. G's forward is made once: its graph is kept as the function ``pull``."""
    (g, *g_moments), (d, *d_moments) = held
    z = jax.random.normal(key, (len(real), workload.z_dim))
    fake, pull = jax.vjp(lambda params: generator(workload, params, z), g)

    def d_loss_of(params: Any) -> Any:
        return softplus(-discriminator(workload, params, real)) + softplus(discriminator(workload, params, fake))

    d_loss, d_grads = jax.value_and_grad(d_loss_of)(d)
    d, *d_moments = adam(d, d_grads, *d_moments, count)
    g_loss, into_fake = jax.value_and_grad(lambda shown: softplus(-discriminator(workload, d, shown)))(fake)
    g, *g_moments = adam(g, pull(into_fake)[0], *g_moments, count)
    return [(g, *g_moments), (d, *d_moments)], (d_loss, g_loss)


def softplus(logits: Any) -> Any:
    return jax.nn.softplus(logits).mean()


def adam(params: Any, grads: Any, first: Any, second: Any, count: Any) -> Any:
    first = [BETA1 * m + (1 - BETA1) * g for m, g in zip(first, grads, strict=True)]
    second = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(second, grads, strict=True)]
    rate = LR / (1 - BETA1**count)
    params = [p - rate * m / (jnp.sqrt(v / (1 - BETA2**count)) + EPS)
              for p, m, v in zip(params, first, second, strict=True)]  # fmt: skip
    return params, first, second


# ---- the networks: parameters in the order of workloads.dcgan, images (N, H, W, C) -------------------------------


def generator(workload: Workload, params: Any, z: Any) -> Any:
    weights = iter(params)
    widths = [workload.width * 2**i for i in range(workload.depth)][::-1]
    low = workload.side >> workload.depth
    if low == 4:
        x = jnp.einsum("nz,zchw->nhwc", z, next(weights))
    else:
        x = (z @ next(weights).T).reshape(len(z), widths[0], low, low).transpose(0, 2, 3, 1)
    for _ in widths:
        x = doubled(jax.nn.relu(batch_norm(x, next(weights), next(weights))), next(weights))
    return jnp.tanh(x)


def discriminator(workload: Workload, params: Any, x: Any) -> Any:
    weights = iter(params)
    x = jax.nn.leaky_relu(halved(x, next(weights)), 0.2)
    for _ in pairwise(range(workload.depth)):
        x = jax.nn.leaky_relu(batch_norm(halved(x, next(weights)), next(weights), next(weights)), 0.2)
    x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return x @ next(weights).reshape(1, -1).T


def halved(x: Any, w: Any) -> Any:
    """w (F, C, 4, 4)"""
    return lax.conv_general_dilated(x, w.transpose(2, 3, 1, 0), (2, 2), ((1, 1), (1, 1)), dimension_numbers=LAYOUT)


def doubled(x: Any, w: Any) -> Any:
    """w (C, F, 4, 4): the transpose of ``halved``, an image spread out and convolved with the mirrored kernel."""
    mirrored = w[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
    return lax.conv_general_dilated(
        x, mirrored, (1, 1), ((2, 2), (2, 2)), lhs_dilation=(2, 2), dimension_numbers=LAYOUT
    )


def batch_norm(x: Any, weight: Any, bias: Any) -> Any:
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) * (weight * lax.rsqrt(var + 1e-5)) + bias
