"""A scalar tape."""

import math

from .exercise import Exercise, Wrong, close


def exp(answer):
    for g, x in ((1.0, 0.0), (2.0, 1.5), (-3.0, -0.7)):
        close(answer.exp_vjp(g, math.exp(x), x), g * math.exp(x), f"exp_vjp({g}, e^{x}, {x})")
    close(answer.exp_vjp(1.0, 7.0, math.nan), 7.0, "exp_vjp(1.0, 7.0, nan): it can be said by g and y alone, but is")


def two(answer):
    for x, y in ((1.0, 2.0), (-0.5, 3.0), (2.0, -1.0)):
        inside = 2 * (x * y + x)
        found = answer.slopes(x, y)
        if not isinstance(found, tuple) or len(found) != 2:
            raise Wrong(f"slopes({x}, {y}) is {found!r}, expected two numbers: (dz/dx, dz/dy)")
        close(found[0], inside * (y + 1), f"dz/dx at x = {x}, y = {y}")
        close(found[1], inside * x, f"dz/dy at x = {x}, y = {y}")


def order(answer):
    graphs = (
        {"loss": ["b"], "b": ["a"], "a": ["x"], "x": []},
        {"loss": ["a", "b"], "a": ["x"], "b": ["a", "x"], "x": []},
        {"loss": ["c", "a"], "a": ["x"], "b": ["a"], "c": ["b", "x"], "x": []},
    )
    for graph in graphs:
        found = answer.backward_order(graph)
        if found is None or found is ...:
            raise Wrong("backward_order returns nothing yet: fill the gap")
        found = list(found)
        if sorted(found) != sorted(graph):
            raise Wrong(f"{graph}: {found} does not have every node once")
        for node, inputs in graph.items():
            for name in inputs:
                if found.index(name) < found.index(node):
                    raise Wrong(f"{graph}: {name!r} comes before {node!r}, which still has a gradient for it")


EXERCISES = (
    Exercise("1.1", "The backward of exp", '''
def exp_vjp(g, y, x):
    """y = e^x. Given the gradient g of y, return that of x. One line, and it uses y."""
    return ...
''', exp),
    Exercise("1.2", "The chain rule by hand", '''
def slopes(x, y):
    """z = (x y + x)^2. Return (dz/dx, dz/dy), as formulas of x and y. x is used twice: its gradients add up."""
    return ...
''', two),
    Exercise("1.3", "From last to first", '''
def backward_order(graph):
    """graph = {"loss": ["a", "b"], "a": ["x"], "b": ["a", "x"], "x": []}: each node with its inputs.

    Return all nodes in an order in which a backward may visit them, the loss first: each node after everything that
    uses it, since only then is its gradient complete. Above: loss, b, a, x.
    """
    return ...
''', order),
)  # fmt: skip
