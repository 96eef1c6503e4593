"""Every model of the zoo as small as it gets, and batches for it: what the tests of all models build."""

import numpy as np

from minigan import gan

PICTURES = [name for name, model in gan.MODELS.items() if model.medium == "pictures"]
SCALE = {"sample_rate": 8000, "samples": 1280, "hop": 160, "window": 512, "mean": [-1.0] * 8, "deviation": [0.5] * 8}
# What a model knows of its data, and the shape of one of them, by its medium.
DATA = {
    "pictures": ({"image_size": 28, "channels": 1}, (1, 28, 28)),
    "clips": ({"image_size": 8, "channels": 1, "frames": 3}, (3, 1, 8, 8)),
    "spectrograms": ({"image_size": [8, 8], "spectrogram": SCALE}, (1, 8, 8)),
    "waves": ({"samples": 256, "sample_rate": 8000}, (1, 256)),
    "text": ({"alphabet": "\nabc", "length": 5}, (4, 5)),
    "music": ({"lowest": [60, 50, 40], "rows": 4, "steps": 8, "bar": 4}, (3, 4, 8)),
}


def architecture(name, *, z_dim=6, width=4, classes=3):
    """With classes, or clusters, where it is told such."""
    model = gan.MODELS[name]
    found = {"model": name, **DATA[model.medium][0], "z_dim": z_dim, "width": width}
    if model.conditional:
        found["classes"] = classes
    if name == "mocogan":
        found |= {"state": 1, "noise": 1}
    return found


def items(name, count, rng):
    """So many examples to learn from, noise in [-1, 1]."""
    return rng.uniform(-1, 1, (count, *DATA[gan.MODELS[name].medium][1])).astype(np.float32)
