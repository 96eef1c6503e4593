# minigan learn 6.3: The gradient penalty
from minigan import Tensor, grad


def gradient_penalty(critic, x):
    """10 times the mean over the samples x (N, 4) of (|slope of critic| - 1)^2, as a Tensor that can be learned from."""
    x = Tensor(x, requires_grad=True)
    (slope,) = grad(critic(x).sum(), [x], create_graph=True)
    return (((slope * slope).sum(1) ** 0.5 - 1) ** 2).mean() * 10
