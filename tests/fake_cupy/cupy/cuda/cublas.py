from .._cublas import PATH as __file__  # noqa: F401, N811
