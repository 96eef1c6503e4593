"""One device, a driver and a runtime of CUDA 13.0."""

from typing import Any

from . import memory


class CUDARuntimeError(RuntimeError):
    pass


def getDeviceCount() -> int:  # noqa: N802 (CuPy's names)
    return 1


def driverGetVersion() -> int:  # noqa: N802
    return 13000


def runtimeGetVersion() -> int:  # noqa: N802
    return 13000


def getDeviceProperties(device: int) -> dict[str, Any]:  # noqa: N802
    return {"name": b"stand-in on the CPU", "totalGlobalMem": memory.TOTAL, "major": 7, "minor": 5}


def memGetInfo() -> tuple[int, int]:  # noqa: N802
    return memory.TOTAL - memory.pool.used_bytes(), memory.TOTAL
