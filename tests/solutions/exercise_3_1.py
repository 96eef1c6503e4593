# minigan learn 3.1: How large is the output?
def output_size(n, k, stride, padding):
    """Places that a window of k finds on a side of n pixels, padded at both ends, when it moves by ``stride``."""
    return (n + 2 * padding - k) // stride + 1
