"""A stand-in for CuPy whose GPU is the CPU, for machines without one. What it can show and what not: docs/cuda.md.

``install()`` makes ``import cupy`` find it in this process; for another process, put this folder on PYTHONPATH.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
installed = False
because = ""  # why no GPU could be used


def install(reason: str = "") -> None:
    global installed, because
    for name in [name for name in sys.modules if name.split(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[name]
    sys.modules["cupyx"] = None  # type: ignore[assignment] # CuPy's own, if it is installed, would not fit the stand-in
    sys.path.insert(0, str(FOLDER))
    try:
        import cupy  # noqa: F401

        installed, because = True, reason
    finally:
        sys.path.remove(str(FOLDER))
