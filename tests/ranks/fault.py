"""Run by mpiexec: the last rank fails, or hangs, while the others wait for it."""

import sys
import time

from minigan import parallel

world = parallel.world()
world.barrier()
if world.rank == world.size - 1:
    if sys.argv[1] == "raise":
        raise ValueError("planted")
    time.sleep(600)
world.barrier()
print(f"rank {world.rank} goes on")
