"""Pictures in, batches out: ``mnist`` and ``ImageFolder`` make a ``Dataset``, pictures become ``Paired``, other
things are ``Drawn``; a ``Loader`` feeds any of them to training.

>>> import numpy as np
>>> from minigan import backend
>>> digits = mnist("test")
>>> loader = Loader(digits, 64, backend=backend.get("numpy"), rng=np.random.default_rng(0))
>>> next(iter(loader)).shape
(64, 1, 28, 28)
"""

from .attributes import Attributes, open_attributes
from .clusters import clustered
from .dataset import Dataset
from .drawn import Arrays, Drawn
from .idx import idx_splits, is_idx_folder, mnist, read_idx
from .image_folder import ImageFolder
from .loader import Loader
from .opening import open_images
from .paired import Paired, read_pictures

__all__ = [
    "Arrays",
    "Attributes",
    "Dataset",
    "Drawn",
    "ImageFolder",
    "Loader",
    "Paired",
    "clustered",
    "idx_splits",
    "is_idx_folder",
    "mnist",
    "open_attributes",
    "open_images",
    "read_idx",
    "read_pictures",
]
