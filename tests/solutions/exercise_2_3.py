# minigan learn 2.3: A test for any adjoint
import numpy as np


def dot_test(f, f_adjoint, inputs, outputs, rng):
    """f takes ``inputs`` numbers to ``outputs``. Return |<g, f(x)> - <f_adjoint(g), x>| for random x and g."""
    x, g = rng.standard_normal(inputs), rng.standard_normal(outputs)
    return abs(g @ f(x) - f_adjoint(g) @ x)
