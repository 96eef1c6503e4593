"""Pictures in, batches out: ``mnist`` and ``ImageFolder`` make a ``Dataset``, pictures become ``Paired`` or
``Unpaired``, other things are ``Drawn``; a ``Loader`` feeds any of them to training.

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
from .frame_folder import FrameFolder
from .idx import idx_splits, is_idx_folder, mnist, read_idx
from .image_folder import ImageFolder
from .loader import Loader
from .moving import MovingDigits, moving_digits
from .music import Music, chorales, midi, music, read_rolls
from .opening import open_images
from .paired import Paired, read_pictures
from .sounds import Sounds, audio
from .spectrogram import Spectrogram, spectrograms
from .text import Text, read_text, text
from .unpaired import Unpaired

__all__ = [
    "Arrays",
    "Attributes",
    "Dataset",
    "Drawn",
    "FrameFolder",
    "ImageFolder",
    "Loader",
    "MovingDigits",
    "Music",
    "Paired",
    "Sounds",
    "Spectrogram",
    "Text",
    "audio",
    "Unpaired",
    "chorales",
    "clustered",
    "idx_splits",
    "is_idx_folder",
    "midi",
    "mnist",
    "moving_digits",
    "music",
    "open_attributes",
    "open_images",
    "read_idx",
    "read_pictures",
    "read_rolls",
    "read_text",
    "spectrograms",
    "text",
]
