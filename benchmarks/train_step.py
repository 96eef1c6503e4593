"""One training step (D on real and fake, then G, Adam) against PyTorch on the same CPU: same model, weights and batch.

    python -m benchmarks.train_step                        # the two headline workloads
    python -m benchmarks.train_step --backend numba        # with the compiled backend beside the NumPy one
    python -m benchmarks.train_step --all --compile --autocast --json train_step.json --plot train_step.png
    python -m benchmarks.train_step --device cuda

With ``--device cuda`` both run on an NVIDIA GPU: minigan captured and eager, PyTorch eager, through torch.compile and
as a CUDA graph, all with TF32 and without; see gpu_step.py.

PyTorch runs its own DCGAN example's step, eager, in NCHW and in channels-last memory, and once tuned by hand
(channels-last, D frozen in the G step, fused Adam). On request also through torch.compile, and in bfloat16 autocast,
whose numbers have 8 significant bits instead of 24. JAX joins in when it is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks import plot
from benchmarks.harness import Contenders, Row, arguments, begin, dismiss, finish, interleave, own, result, table
from benchmarks.workloads import ALL, HEADLINE, WORKLOADS, images, minigan_step, minigan_trainer
from minigan import backend
from minigan.cli import user_errors
from minigan.errors import InputError


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default: cpu)")
    parser.add_argument("--workload", choices=WORKLOADS, action="append", help="may be repeated")
    parser.add_argument("--batch", type=int, action="append", help="instead of the workload's own; may be repeated")
    parser.add_argument("--all", action="store_true", help="every workload, at every batch size")
    parser.add_argument("--compile", action="store_true", help="PyTorch through torch.compile too")
    parser.add_argument("--autocast", action="store_true", help="PyTorch in bfloat16 too")
    args = parser.parse_args()
    if args.device == "cuda":
        sys.exit(user_errors(on_gpu, args))
    begin(args)
    chosen = ALL if args.all else HEADLINE
    if args.workload:
        chosen = [(name, WORKLOADS[name].batch) for name in args.workload]
    if args.batch:
        chosen = [(name, batch) for name in dict.fromkeys(name for name, _ in chosen) for batch in args.batch]
    results = []
    for name, batch in chosen:
        results.append(measure(name, batch, args.rounds, own(args), compiled=args.compile, autocast=args.autocast))
        print(table(results[-1:]), flush=True)
    finish(args, results, plot.bars)


def on_gpu(args: argparse.Namespace) -> None:
    from benchmarks import gpu_step

    cupy = backend.get("cupy")
    gpu_step.check_torch()
    unknown = set(args.workload or ()) - gpu_step.ARCHITECTURES.keys()
    if unknown:
        raise InputError(f"--workload {', '.join(unknown)}: on a GPU there is {', '.join(gpu_step.ARCHITECTURES)}")
    names = args.workload or gpu_step.ARCHITECTURES
    results = []
    for name, batch in gpu_step.STEPS:
        if name in names and batch in (args.batch or [batch]):
            rows = gpu_step.measure(cupy, name, batch, args.rounds)
            print(table(rows), *map(gpu_step.peaks, rows), sep="\n", flush=True)
            results += rows
    finish(args, results, plot.bars)


def measure(name: str, batch: int, rounds: int, places: dict[str, str], **options: bool) -> Row:
    entered = contenders(name, batch, places, **options)
    skipped = dismiss(entered)
    if not find_spec("jax"):
        skipped["jax_jit"] = "JAX is not installed"
    return result(name, batch, interleave(entered, rounds)) | {"skipped": skipped}


def contenders(
    name: str, batch: int, places: dict[str, str], *, compiled: bool = False, autocast: bool = False
) -> Contenders:
    """All start from the same weights. The first call of each sets it up."""
    from torch import from_numpy

    from benchmarks import pytorch

    workload = WORKLOADS[name]
    real = images(workload, batch)
    trainers = {key: minigan_trainer(workload, place) for key, place in places.items()}
    trainer = trainers["minigan"]
    states = [network.state_dict() for network in trainer.game.networks.values()]

    def torch_step(layout: Any, **options: bool) -> Callable[[], Any]:
        networks = pytorch.build(workload)
        for network, state in zip(networks, states, strict=True):
            network.load_state_dict({key: from_numpy(array) for key, array in state.items()})
        return pytorch.training_step(networks, real, workload, layout, **options)

    nchw, channels_last = pytorch.LAYOUTS.values()
    entered: Contenders = {
        **{key: minigan_step(trainer, real) for key, trainer in trainers.items()},
        "torch_nchw": torch_step(nchw),
        "torch_channels_last": torch_step(channels_last),
        "torch_tuned": torch_step(channels_last, tuned=True),
    }
    if compiled:
        entered["compiled"] = torch_step(channels_last, tuned=True, compiled=True)
    if autocast:
        entered["autocast_bf16"] = torch_step(channels_last, tuned=True, bf16=True)
    if workload.model == "dcgan" and not workload.gamma and find_spec("jax"):
        from benchmarks import jax_step

        entered["jax_jit"] = jax_step.training_step(workload, states, real)
    return entered


if __name__ == "__main__":
    main()
