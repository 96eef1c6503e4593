"""Run by mpiexec: the CuPy backend on stand-ins for CuPy and NCCL, steps captured, beside one process on NumPy."""

import json
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import equality
import fake_cupy

from minigan import backend, gan, parallel

fake_cupy.install()
BETWEEN = {"penalties": [gan.R1(every=2)], "objective": gan.RelativisticAverage()}


def play(place, communicator, capture):
    trainer = equality.two_player(place, equality.norm, capture=capture, **BETWEEN)(communicator)
    batches = equality.batches("batch_norm", communicator, place)
    records = [*islice(trainer.steps(batches), 6)]
    return trainer, (records[-1], trainer.arrays())


def main():
    world = parallel.world()
    trainer, captured = play("cupy", world, True)
    _, eager = play("cupy", world, False)
    if world.is_first:
        _, alone = play("numpy", parallel.ALONE, False)
        nccl = backend.get("cupy").xp.cuda.nccl
        print(json.dumps({
            "reason": trainer.capture_reason,
            "exchanged": nccl.NcclCommunicator.exchanged,
            "apart": equality.distance(captured, alone),
            "apart without capture": equality.distance(captured, eager),
        }))  # fmt: skip


main()
