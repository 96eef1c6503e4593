"""Whether this process was started as one of several, as the launcher's environment tells: without any import."""

from __future__ import annotations

import os
from typing import NamedTuple

LAUNCHERS = (  # size, rank; rank and size on this machine
    ("PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),  # mpiexec of MPICH and Intel MPI
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),  # srun
)


class Launched(NamedTuple):
    size: int
    rank: int
    local_rank: int
    local_size: int


def launched() -> Launched | None:
    """What the launcher says of this process; None of one that was started alone."""
    for names in LAUNCHERS:
        size, rank, local_rank, local_size = (os.environ.get(name, "") for name in names)
        if size.isdecimal() and int(size) > 1 and rank.isdecimal():
            local = [int(told) if told.isdecimal() else default for told, default in ((local_rank, 0), (local_size, 1))]
            return Launched(int(size), int(rank), *local)
    return None


def sharing_cores() -> int:
    """How many processes share the cores that this one may run on: 1 where the launcher gave each its own."""
    told = launched()
    bound = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < (os.cpu_count() or 1)
    return 1 if told is None or bound else told.local_size
