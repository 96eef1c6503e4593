"""Whether this process was started as one of several, as the launcher's environment tells. Nothing is imported."""

from __future__ import annotations

import os
from typing import NamedTuple

LAUNCHERS = (  # size, rank, rank on its machine
    ("PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),  # mpiexec of MPICH and Intel MPI, srun --mpi=pmi2
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),  # mpiexec of Open MPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"),  # srun
)


class Launched(NamedTuple):
    size: int
    rank: int
    local_rank: int | None  # None where the launcher does not tell


def launched() -> Launched | None:
    """What the launcher says of this process; None for one that was started alone."""
    for names in LAUNCHERS:
        size, rank, local = (os.environ.get(name, "") for name in names)
        if size.isdecimal() and int(size) > 1 and rank.isdecimal():
            return Launched(int(size), int(rank), int(local) if local.isdecimal() else None)
    return None
