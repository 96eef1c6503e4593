"""More than one process, GPU and machine: ``mpiexec -n 4 python script.py``, and the script stays as it is.

    world()        the processes that were started together: a Communicator (rank, size, average, gather, ...)
    current()      those that the batch in hand is split over
    within(...)    in this context, a batch is split over these

A ``Loader`` hands each rank its part of every batch, ``ops.drawn`` its part of every random number, batch norm takes
its statistics from all, and the ``Trainer`` averages the gradients: the same numbers as of one process.
"""

from .communicator import ALONE, Communicator, batch_norm_group, current, within
from .start import world

__all__ = ["ALONE", "Communicator", "batch_norm_group", "current", "within", "world"]
