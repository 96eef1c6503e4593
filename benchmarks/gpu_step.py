"""Training steps on an NVIDIA GPU, for ``train_step --device cuda`` and ``gpu_suite``: the contenders and their memory.

minigan captured as a CUDA graph, as it trains by default, and eager; PyTorch eager in both layouts, through
torch.compile, and captured as a CUDA graph. Each in float32 and with TF32, all from the same weights on the same batch,
and each of them tells the host its losses at the end of a step, which it has to wait for.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection
from functools import partial
from textwrap import shorten
from typing import Any

import numpy as np

from benchmarks.harness import Contenders, Row, interleave, result
from minigan import gan
from minigan.errors import InputError
from minigan.interop import to_torch

MNIST = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 100}
DCGAN64 = {"model": "dcgan", "image_size": 64, "channels": 3, "z_dim": 100}
ARCHITECTURES = {"mnist_dcgan": MNIST, "dcgan64": DCGAN64}
STEPS = [("mnist_dcgan", batch) for batch in (64, 128, 512)] + [("dcgan64", batch) for batch in (64, 128, 256)]
PRECISIONS = {"float32": False, "TF32": True}
TURN = 0.05  # seconds
SETTLE = 4  # steps until all is captured and compiled, and no more memory is taken


def check_torch() -> None:
    """Raises InputError where PyTorch cannot use the GPU."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise InputError("PyTorch is not installed: pip install minigan[bench]") from error
    if not torch.cuda.is_available():
        raise InputError(f"PyTorch {torch.__version__} finds no GPU: install one that is built for CUDA (pytorch.org)")


def measure(
    cupy: Any,
    name: str,
    batch: int,
    rounds: int,
    *,
    device: str = "cuda",
    kinds: Collection[str] | None = None,
    **changes: Any,
) -> list[Row]:
    """A row for each precision, of all contenders or of ``kinds`` of them.

    ``device`` "cpu" is for PyTorch in a dry run; ``changes`` are of the architecture.
    """
    makers = contenders(cupy, ARCHITECTURES[name] | changes, batch, device)
    if kinds is not None:
        makers = {key: make for key, make in makers.items() if key.split()[0] in kinds}
    warm_up(cupy, ARCHITECTURES[name] | changes, device)
    steps: Contenders = {}
    memory, skipped = {}, {}
    for key, make in makers.items():
        try:
            steps[key], memory[key] = build(cupy, make, device)
        except Exception as error:
            skipped[key] = shorten(f"{type(error).__name__}: {error}", 150)
    seconds = interleave(steps, rounds, warmup=SETTLE, turn=TURN)
    rows = []
    for precision in PRECISIONS:

        def of(found: dict[str, Any], precision: str = precision) -> dict[str, Any]:
            return {key.split()[0]: value for key, value in found.items() if key.endswith(f" {precision}")}

        row = result(f"{name}, {precision}", batch, of(seconds))
        rows.append(row | {"precision": precision, "peak_bytes": of(memory), "skipped": of(skipped)})
    return rows


def peaks(row: Row) -> str:
    """The row's memory in one line."""
    sizes = (f"{key} {size / 2**20:.0f} MiB" for key, size in row["peak_bytes"].items())
    return f"device memory, {row['workload']}, batch {row['batch']}: {', '.join(sizes)}"


def contenders(
    cupy: Any, architecture: dict[str, Any], batch: int, device: str
) -> dict[str, Callable[[], Callable[[], Any]]]:
    """What makes the step of each contender, by its name and precision."""
    import torch

    rng = np.random.default_rng(0)
    shape = batch, architecture["channels"], architecture["image_size"], architecture["image_size"]
    images = rng.uniform(-1, 1, shape).astype(np.float32)
    own = partial(minigan_step, cupy, architecture, images)
    torch_kinds: dict[str, dict[str, Any]] = {
        "torch_nchw": {},
        "torch_channels_last": {"channels_last": True},
        "graphed": {"channels_last": True, "graphed": True},
    }
    if device == "cuda":
        torch_kinds["compiled"] = {"channels_last": True, "compiled": True}
    torch.compiler.reset()  # or a limit on recompilations lets later workloads run eagerly without a word
    makers: dict[str, Callable[[], Callable[[], Any]]] = {}
    for precision, tf32 in PRECISIONS.items():
        makers[f"minigan {precision}"] = partial(own, tf32, True)
        makers[f"minigan_eager {precision}"] = partial(own, tf32, False)
        for name, options in torch_kinds.items():
            makers[f"{name} {precision}"] = partial(torch_step, architecture, images, device, tf32, **options)
    return makers


def warm_up(cupy: Any, architecture: dict[str, Any], device: str) -> None:
    """What a process takes for good, such as the libraries' own memory, is not the first contender's."""
    makers = contenders(cupy, architecture | {"width": 2}, 2, device)
    for name in ("minigan", "torch_channels_last"):
        makers[f"{name} float32"]()()


def build(cupy: Any, make: Callable[[], Callable[[], Any]], device: str) -> tuple[Callable[[], Any], int]:
    """A contender's step, settled, and the bytes of the device that it takes, with all that it keeps for later."""
    import torch

    gc.collect()
    cupy.xp.get_default_memory_pool().free_all_blocks()
    if device == "cuda":
        torch.cuda.empty_cache()
    before = cupy.xp.cuda.runtime.memGetInfo()[0]
    step = make()
    for _ in range(SETTLE):
        step()
    return step, before - cupy.xp.cuda.runtime.memGetInfo()[0]


def minigan_step(
    cupy: Any, architecture: dict[str, Any], images: np.ndarray, tf32: bool, capture: bool
) -> Callable[[], Any]:
    rng = np.random.default_rng(0)
    networks = (network.to(cupy) for network in gan.build(architecture, rng))
    game = gan.TwoPlayer(*networks, z_dim=architecture["z_dim"], rng=rng)
    trainer, real = gan.Trainer(game, capture=capture), cupy.asarray(images)

    def step() -> None:
        cupy.tf32 = tf32
        try:
            trainer.step(real)
            cupy.synchronize()
        finally:
            cupy.tf32 = False
        if capture and trainer.capture_reason:
            raise RuntimeError(trainer.capture_reason)

    return step


def torch_step(
    architecture: dict[str, Any],
    images: np.ndarray,
    device: str,
    tf32: bool,
    *,
    channels_last: bool = False,
    compiled: bool = False,
    graphed: bool = False,
) -> Callable[[], list[float]]:
    """The step of PyTorch's DCGAN example."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    layout = torch.channels_last if channels_last else torch.contiguous_format
    networks = gan.build(architecture, np.random.default_rng(0))
    g, d = (to_torch(network).to(device).to(memory_format=layout) for network in networks)
    real = torch.tensor(images, device=device).to(memory_format=layout)
    settings: dict[str, Any] = {"lr": 2e-4, "betas": (0.5, 0.999), "capturable": graphed}
    g_adam, d_adam = (torch.optim.Adam(network.parameters(), **settings) for network in (g, d))
    generate, judge = (torch.compile(g), torch.compile(d)) if compiled else (g, d)
    ones = torch.ones(len(images), 1, device=device)
    zeros = torch.zeros_like(ones)

    def play() -> list[torch.Tensor]:
        d_adam.zero_grad()
        fake = generate(torch.randn(len(images), architecture["z_dim"], device=device))
        real_logits, fake_logits = judge(real), judge(fake.detach())
        d_loss = bce(real_logits, ones) + bce(fake_logits, zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        g_loss = bce(judge(fake), ones)
        g_loss.backward()
        g_adam.step()
        return [d_loss, g_loss, *(logits.sigmoid().mean() for logits in (real_logits, fake_logits))]

    def with_tf32(work: Callable[[], Any]) -> Any:
        # cuDNN's convolutions take TF32 by default, so float32 has to be asked for.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        return work()

    if not graphed:
        return lambda: [number.item() for number in with_tf32(play)]

    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            with_tf32(play)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        told = torch.stack([number.detach() for number in with_tf32(play)])

    def replay() -> list[float]:
        graph.replay()
        return told.tolist()

    return replay
