"""One device, a driver and a runtime of CUDA 13.0."""

from typing import Any

from .. import _memory

_NAMES = {35: "cudaErrorInsufficientDriver", 401: "cudaErrorIllegalState", 803: "cudaErrorSystemDriverMismatch"}
_NAMES |= {900: "cudaErrorStreamCaptureUnsupported"}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        super().__init__(f"{_NAMES[status]}: in the words of the CUDA runtime")


def getDeviceCount() -> int:  # noqa: N802 (CuPy's names)
    return 1


def driverGetVersion() -> int:  # noqa: N802
    return 13000


def runtimeGetVersion() -> int:  # noqa: N802
    return 13000


def getDeviceProperties(device: int) -> dict[str, Any]:  # noqa: N802
    return {"name": b"stand-in on the CPU", "totalGlobalMem": _memory.TOTAL, "major": 9, "minor": 0}


def memGetInfo() -> tuple[int, int]:  # noqa: N802
    return _memory.TOTAL - _memory.pool.used_bytes(), _memory.TOTAL
