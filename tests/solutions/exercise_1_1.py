# minigan learn 1.1: The backward of exp
def exp_vjp(g, y, x):
    """y = e^x. Given the gradient g of y, return that of x. One line, and it uses y."""
    return g * y
