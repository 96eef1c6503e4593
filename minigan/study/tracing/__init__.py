"""Watching backpropagation happen: every op of a forward and its backward, as a table, a drawing and a flame chart.

>>> from minigan import Tensor
>>> x = Tensor([1.0, 2.0], requires_grad=True, name="x")
>>> with trace() as t:
...     (x**3).sum().backward()
>>> [(event.pass_name, event.op) for event in t.events][:4]
[('forward', 'Pow'), ('forward', 'Sum'), ('backward', 'Reshape'), ('backward', 'BroadcastTo')]

``recorder`` watches, ``peak`` measures the machine; ``graph`` and ``flame`` draw.
"""

from .events import Event, Leaf
from .peak import Peak, measure_peak
from .recorder import Trace, trace

__all__ = ["Event", "Leaf", "Peak", "Trace", "measure_peak", "trace"]
