# minigan learn 6.1: A gradient of a gradient
from minigan import Tensor, grad


def second_derivative(f, x):
    """f'' at each element of the array x, as an array. f works on Tensors, element by element."""
    x = Tensor(x, requires_grad=True)
    (slope,) = grad(f(x).sum(), [x], create_graph=True)
    (found,) = grad(slope.sum(), [x], allow_unused=True)
    return 0 * x.numpy() if found is None else found.numpy()
