"""What a trace writes down: events, each an op that ran, and the leaves that they started from."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, ...]
PASSES = ("forward", "backward", "double backward")


@dataclass(eq=False)
class Leaf:
    """A tensor that no op made and that wants a gradient."""

    name: str
    shape: Shape


@dataclass(eq=False)
class Event:
    """One op that ran.

    order      0: forward; 1: backward, the vjp of a forward op; 2: double backward, the vjp of a backward op; ...
    layer      path of the module that applied it, or whose backward it is; "" outside of all modules
    owner      the op whose vjp it belongs to, None in a forward
    sources    what made each of its inputs: another event, a leaf, or None for a constant
    bytes      memory that the output took, 0 for a view
    flops      floating-point operations by the textbook: a fast algorithm may need fewer
    seconds    wall time
    grad_norm  Euclidean norm. In a forward: of the gradient that reached its output, None when none did. In a
               backward: of its output, which is a gradient or part of one
    """

    number: int
    op: str
    order: int
    layer: str
    inputs: tuple[Shape, ...]
    shape: Shape
    dtype: str
    bytes: int
    flops: int
    seconds: float
    owner: Event | None = None
    sources: tuple[Event | Leaf | None, ...] = ()
    grad_norm: float | None = None
    settings: str = ""

    @property
    def pass_name(self) -> str:
        return PASSES[min(self.order, 2)]

    @property
    def gflops_per_second(self) -> float:
        return self.flops / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def root(self) -> Event:
        """The forward op whose backward, or backward's backward, it is; in a forward, itself."""
        event = self
        while event.owner is not None:
            event = event.owner
        return event
