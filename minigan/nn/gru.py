"""A gated recurrent unit: a state that is carried from step to step, and gates that say how much of it is kept."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..errors import InputError
from ..sizes import size
from ..tensor import Tensor
from . import init
from .layers import Rng, new_parameter
from .module import Module


class GRUCell(Module):
    """One step of a gated recurrent unit (Cho et al. 2014);  x (N, input_size), h (N, hidden_size) -> h' like h

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)        how much of the state the proposal sees
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)        how much of the state is kept
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))       the proposal
    h' = (1 - z) n + z h

    weight_ih (3 hidden_size, input_size) holds W_ir, W_iz, W_in one below the other, weight_hh (3 hidden_size,
    hidden_size) the others, as in PyTorch. All start as U(-b, b), b = 1 / sqrt(hidden_size). Without ``h`` the state is
    0. Raises InputError for shapes that do not fit.
    """

    settings = ("input_size", "hidden_size")

    def __init__(self, input_size: int, hidden_size: int, *, bias: bool = True, rng: Rng = None) -> None:
        self.input_size = size("GRUCell: input_size", input_size)
        self.hidden_size = size("GRUCell: hidden_size", hidden_size)
        rng, gates = rng or np.random.default_rng(), 3 * self.hidden_size
        self.weight_ih = new_parameter((gates, self.input_size))
        self.weight_hh = new_parameter((gates, self.hidden_size))
        self.bias_ih = new_parameter((gates,)) if bias else None
        self.bias_hh = new_parameter((gates,)) if bias else None
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, rng, low=-bound, high=bound)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.input_size:
            raise InputError(f"GRUCell: input {x.shape} must be (N, {self.input_size})")
        if h is None:
            h = Tensor(x.backend.asarray(x.backend.xp.zeros((len(x), self.hidden_size), x.dtype)))
        if h.shape != (len(x), self.hidden_size):
            raise InputError(f"GRUCell: state {h.shape} must be {(len(x), self.hidden_size)}")
        of_x, of_h = ops.linear(x, self.weight_ih, self.bias_ih), ops.linear(h, self.weight_hh, self.bias_hh)
        width = self.hidden_size
        gates = ops.sigmoid(of_x[:, : 2 * width] + of_h[:, : 2 * width])
        reset, keep = gates[:, :width], gates[:, width:]
        proposal = ops.tanh(of_x[:, 2 * width :] + reset * of_h[:, 2 * width :])
        return proposal + keep * (h - proposal)
