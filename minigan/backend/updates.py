"""The rules by which parameters are updated: the formula, and the numbers that a kernel needs for one update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class SGD:
    """b <- momentum b + g + l2 p;  p <- p - lr b"""

    kernel: ClassVar[str] = "sgd"  # of every backend
    lr: float
    momentum: float = 0.0
    l2: float = 0.0


@dataclass(frozen=True)
class RMSprop:
    """v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps)  (Tieleman & Hinton 2012)"""

    kernel: ClassVar[str] = "rmsprop"
    lr: float
    alpha: float = 0.99
    eps: float = 1e-8


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015), update number ``step`` = 1, 2, ...; ``decay`` makes it AdamW:

    p <- (1 - lr * decay) * p;  g <- g + l2 * p
    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
    p <- p - lr * (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + eps)
    """

    kernel: ClassVar[str] = "adam"
    lr: float
    step: int
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    l2: float = 0.0
    decay: float = 0.0


Update = SGD | RMSprop | Adam
