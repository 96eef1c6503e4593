# minigan learn 1.2: The chain rule by hand
def slopes(x, y):
    """z = (x y + x)^2. Return (dz/dx, dz/dy), as formulas of x and y. x is used twice: its gradients add up."""
    return 2 * (x * y + x) * (y + 1), 2 * (x * y + x) * x
