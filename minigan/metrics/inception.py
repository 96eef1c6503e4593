"""A bridge to Inception-v3 with the weights of FID, for whoever wants numbers to hold against published ones."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import InputError
from .features import Features
from .pixels import as_bytes


class Inception:
    """Inception-v3 of torch-fidelity, or else of pytorch-fid, whichever is installed; each fetches its own weights.

    2,048 features, those of the last pooling, after that package's own resizing to 299x299; grey pictures are shown in
    three equal channels. Raises InputError when neither is installed or its weights cannot be had.
    """

    dimensions = 2048
    classes = tuple(map(str, range(1008)))

    def __init__(self) -> None:
        package = next((name for name in LOADERS if find_spec(name)), None)
        if package is None:
            raise InputError(
                "the inception extractor comes from another package, which is not installed: pip install "
                "torch-fidelity, or pip install pytorch-fid"
            )
        try:
            self.network = LOADERS[package]()
        except (ImportError, OSError, RuntimeError) as error:  # a package it needs, its weights, or their digest
            raise InputError(
                f"{package} cannot load Inception ({error}): install it with all that it needs, and let it fetch its "
                "weights"
            ) from None
        self.name = f"Inception-v3 of {package.replace('_', '-')}"

    def __call__(self, images: np.ndarray, batch_size: int = 50) -> Features:
        import torch

        images = as_bytes(images)
        if images.shape[1] not in (1, 3):
            raise InputError(f"images have {images.shape[1]} channels; inception takes 1 or 3")
        features, probabilities = [], []
        with torch.no_grad():
            for start in range(0, len(images), batch_size):
                part = images[start : start + batch_size].repeat(3 // images.shape[1], axis=1)
                found, logits = self.network(torch.from_numpy(part))
                features.append(found.float().numpy())
                probabilities.append(logits.float().softmax(1).numpy())
        return Features(np.concatenate(features), np.concatenate(probabilities))

    def describe(self) -> str:
        return f"{self.name}, {self.dimensions} features, batch norm in evaluation mode"


def _torch_fidelity() -> Any:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    return FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"]).eval()


def _pytorch_fid() -> Any:
    from pytorch_fid.inception import InceptionV3, fid_inception_v3

    body, last = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval(), fid_inception_v3().fc

    def network(images: Any) -> tuple[Any, Any]:
        features = body(images.float() / 255)[0].flatten(1)
        return features, features @ last.weight.T  # without the bias, as the inception score has it

    return network


LOADERS = {"torch_fidelity": _torch_fidelity, "pytorch_fid": _pytorch_fid}
