# minigan learn 7.3: How far does a network see?
def reach(layers):
    """Each layer adds half of its span."""
    return sum((kernel - 1) * dilation // 2 for kernel, dilation in layers)
