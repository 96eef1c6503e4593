"""Moving each sound of a batch by its own few samples, so that nobody can tell by the phase where it came from."""

from __future__ import annotations

import numpy as np

from ..backend import Array, is_array
from ..errors import InputError
from ..sizes import size
from ..tensor import Tensor
from .shape import reflection_pad
from .translate import translate


def phase_shuffle(x: Tensor, shifts: Array, reach: int) -> Tensor:
    """y[n, c, i] = x[n, c, i - shifts[n]], mirrored at both ends (Donahue, McAuley & Puckette 2019).

    x (N, C, L), shifts (N,) whole numbers from -reach to reach, on the host or where x is -> (N, C, L); reach < L

    >>> phase_shuffle(Tensor([[[1.0, 2.0, 3.0, 4.0]]]), np.array([2]), reach=2)
    Tensor([[[3., 2., 1., 2.]]], dtype=float32)
    """
    reach = size("phase_shuffle: reach", reach, least=0)
    if x.ndim != 3 or not is_array(shifts) or shifts.shape != x.shape[:1] or shifts.dtype.kind not in "iu":
        raise InputError(f"phase_shuffle: x {x.shape} must be (N, C, L), and shifts (N,) whole numbers")
    if reach >= x.shape[2]:
        raise InputError(f"phase_shuffle: reach = {reach} must be less than the {x.shape[2]} samples of {x.shape}")
    if isinstance(shifts, np.ndarray) and len(shifts) and np.abs(shifts).max() > reach:
        raise InputError(f"phase_shuffle: shifts from {shifts.min()} to {shifts.max()} must not exceed reach = {reach}")
    length, place = x.shape[2], x.backend
    wide = reflection_pad(x, [(0, 0), (0, 0), (reach, reach)])
    offsets = place.empty((len(x), 2), shifts.dtype)
    offsets[:, 0], offsets[:, 1] = 0, place.asarray(shifts)
    moved = translate(wide.reshape(*wide.shape[:2], 1, wide.shape[2]), offsets)  # what comes in at an end is cut off
    return moved.reshape(*wide.shape)[:, :, reach : reach + length]
