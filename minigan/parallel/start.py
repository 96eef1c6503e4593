"""All processes that were started together."""

from __future__ import annotations

from functools import cache

from ..errors import InputError
from ..launched import launched
from .communicator import ALONE, Communicator


@cache
def world() -> Communicator:
    """The processes that ``mpiexec -n 4 python script.py`` started, or this one alone. Only there is mpi4py imported.

    Raises InputError where mpi4py is missing, and where the launcher belongs to another MPI than mpi4py does.
    """
    told = launched()
    if told is None:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: it is there, and no MPI
        raise InputError(
            f"this is one of {told.size} processes, and mpi4py is not to be had ({error}): pip install minigan[mpi]"
        ) from None
    if MPI.COMM_WORLD.size != told.size:
        raise InputError(
            f"the launcher started {told.size} processes, and mpi4py sees {MPI.COMM_WORLD.size}: they belong to "
            "different MPIs. Use the mpiexec that came with mpi4py's, as of pip install mpich"
        )
    from .mpi import Mpi

    return Mpi(MPI.COMM_WORLD)
