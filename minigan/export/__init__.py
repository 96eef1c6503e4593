"""Models taken along: to PyTorch, to ONNX, to a page that needs no server; and DCGANs of PyTorch brought here."""

from .program import Program, trace
from .subject import BUNDLED, Subject, find, open_subject

__all__ = ["BUNDLED", "Program", "Subject", "find", "open_subject", "trace"]
